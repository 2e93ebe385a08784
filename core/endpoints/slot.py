"""A place among an endpoint's calls, for a request that is sent by other means."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from core.cancel import Cancel
from core.config import EndpointConfig
from core.endpoints.faults import Effect
from core.endpoints.lease import Lease, Wanted
from core.endpoints.rotation import Rotation
from core.endpoints.waiting import QueueFull
from core.errors import Unreachable


@contextmanager
def held(
    rotation: Rotation, endpoint: EndpointConfig, model: str, *, limit_s: float, cancel: Cancel
) -> Iterator[None]:
    """One of the endpoint's calls at a time, for the length of the block; no role's turn moves.

    Whether the endpoint is well is not asked: to find that out may be what it is for. Raises
    Unreachable when no place came free in `limit_s` seconds, Cancelled.
    """
    wanted = Wanted(role="", model=model, endpoints=(endpoint,))
    lease = rotation.insist(wanted, ()) or _waited(rotation, wanted, limit_s, cancel)
    if lease is None:
        taken = f"{endpoint.url} was full for {limit_s:.0f} s"
        message = f"{taken}: it takes {endpoint.max_inflight} of our calls at a time"
        raise Unreachable(endpoint.url, "queue_timeout", message)
    try:
        yield
    finally:
        rotation.release(lease, Effect.NONE)


def _waited(rotation: Rotation, wanted: Wanted, limit_s: float, cancel: Cancel) -> Lease | None:
    try:
        lease = rotation.wait(
            # As after a first attempt: that would move the turn.
            lambda: wanted,
            [""],
            limit_s=limit_s,
            cancel=cancel,
            told=lambda place: None,
        )
    except QueueFull:
        return None
    return lease or rotation.insist(wanted, ())
