"""When a call waits for an endpoint instead of failing, and for how long."""

from __future__ import annotations

from collections.abc import Callable

from core.endpoints.call import Call
from core.endpoints.faults import Effect
from core.endpoints.lease import Lease
from core.endpoints.rotation import Rotation
from core.endpoints.waiting import QueueFull

# A call waits for a slot at most so long, and at most half of its time.
PATIENCE_S = 60.0
# A cooldown that ends so soon is waited for, before an endpoint in cooldown is tried early.
SOON_S = 2.0


class Patience:
    """Waits on behalf of calls, in their own threads. `clock` in seconds."""

    def __init__(self, rotation: Rotation, clock: Callable[[], float]) -> None:
        self._rotation = rotation
        self._clock = clock

    def lease(self, call: Call) -> Lease | None:
        """An endpoint that is worth waiting for; None when none is, or none came free in time."""
        lease: Lease | None = None
        while lease is None and call.patience_s > 0:
            outlook = self._rotation.outlook(call.wanted, call.tried)
            limit_s = call.patience_s
            if outlook.kind == "cooling" and outlook.full and not self._has_other(call):
                # Whoever finds out whether it is back is under way there: so wait for that.
                limit_s = min(limit_s, SOON_S)
            elif outlook.kind == "cooling":
                alone = len(call.wanted.left(())) == 1  # then a cooldown only reports
                if alone or self._has_other(call) or outlook.wait_s > SOON_S:
                    return None
                limit_s = min(limit_s, outlook.wait_s or SOON_S)
            elif outlook.kind not in ("slots", "free"):
                return None
            else:
                call.absent = False  # somebody is there, though not for us just now
                if outlook.wait_s > limit_s:
                    return None
            lease = self._wait(call, limit_s)
            if outlook.kind == "cooling" and not self.is_worth_it(call):
                break
        return lease

    def is_worth_it(self, call: Call) -> bool:
        """Whether somebody is full or on a break and the call has time for that.

        What came back from its cooldown may have gone to who waited longer: that is no reason to
        give up.
        """
        outlook = self._rotation.outlook(call.wanted, call.tried)
        if outlook.kind == "cooling":
            return outlook.full and not self._has_other(call) and call.patience_s > 0
        return outlook.kind in ("slots", "free") and outlook.wait_s < call.patience_s

    @staticmethod
    def _has_other(call: Call) -> bool:
        """Whether the built-in model may answer in place of endpoints that are not there."""
        return call.builtin is not None and call.absent

    def _wait(self, call: Call, limit_s: float) -> Lease | None:
        began = self._clock()
        try:
            lease = self._rotation.wait(
                call.refresh, call.tried, limit_s=limit_s, cancel=call.cancel, told=call.queued
            )
        except QueueFull as full:
            call.turned_away = "queue_full"
            raise call.nobody(
                f"The queue is full: {full.limit} calls wait for an endpoint already. Start fewer "
                "runs at once, add endpoints, or raise `max_inflight` where a server can do more"
            ) from None
        call.wanted = call.refresh()
        # Waiting that brought nothing used the time up, whatever the clock says.
        spent_s = limit_s if lease is None else self._clock() - began
        call.patience_s = max(0.0, call.patience_s - spent_s)
        left = {one.id for one in call.wanted.left(call.tried)}
        if lease is not None and lease.endpoint.id not in left:  # it was taken out just now
            self._rotation.release(lease, Effect.NONE)
            return None
        return lease

    def spare_busy(self, call: Call) -> None:
        """Where nobody else is left, a server that only asked for a break is asked again."""
        if call.wanted.left(call.tried) or not call.busy:
            return
        outlook = self._rotation.outlook(call.wanted, call.spared())
        if outlook.kind in ("slots", "free") and outlook.wait_s < call.patience_s:
            call.tried = call.spared()
            call.busy.clear()
