"""Fork, also just after a fork bomb, or beside one of the same user."""

from __future__ import annotations

import os
import time

_PATIENCE_S = 2.0
_TICK_S = 0.02


def fork() -> int:
    """As os.fork; the dead of a fork bomb still count for a moment, so it tries for a while."""
    give_up = time.monotonic() + _PATIENCE_S
    while True:
        try:
            return os.fork()
        except BlockingIOError:
            if time.monotonic() > give_up:
                raise
            time.sleep(_TICK_S)
