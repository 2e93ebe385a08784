"""What a run's body works with: recorded steps, whoever records them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

Json: TypeAlias = Any


class Leaving(BaseException):
    """This process ends: a step that raises it is not recorded, and is done again elsewhere.

    A BaseException, so that nothing takes it for a result on its way out.
    """


class Steps(Protocol):
    """A body does all its work in steps, and in the same order every time it is executed."""

    def step(self, name: str, work: Callable[[], Json]) -> Json:
        """Do `work` once and record what it returns (plain JSON); later calls return that."""

    def part(self, name: str) -> Callable[[], Json]:
        """Start the run's named part beside the body; the returned function waits for it."""


# A body carries out the run of an id; a part the run of an id and the part's name.
Body: TypeAlias = Callable[[str, Steps], None]
Part: TypeAlias = Callable[[str, str, Steps], Json]
