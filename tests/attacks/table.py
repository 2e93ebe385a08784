"""All attacks, in the order of their numbers."""

from __future__ import annotations

from .aftermath import AFTERMATH
from .beside import BESIDE
from .channel import CHANNEL
from .counts import COUNTS
from .files import FILES
from .interpreter import INTERPRETER
from .model import Attack
from .network import NETWORK
from .privilege import PRIVILEGE
from .processes import PROCESSES
from .resources import RESOURCES


def _order(attack: Attack) -> tuple[bool, int, str]:
    digits = "".join(letter for letter in attack.number if letter.isdigit())
    return attack.number.startswith("u"), int(digits), attack.number


_ALL = (
    *(*FILES, *NETWORK, *PROCESSES, *RESOURCES, *PRIVILEGE),
    *(*INTERPRETER, *COUNTS, *AFTERMATH, *BESIDE, *CHANNEL),
)
ATTACKS: tuple[Attack, ...] = tuple(sorted(_ALL, key=_order))
