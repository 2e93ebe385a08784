"""The built-in model: fetched, verified, and served on loopback by a child process."""

from core.embedded.builtin import Builtin
from core.embedded.fetch import Sources
from core.embedded.models import LARGE, SMALL, Mirror, Model
from core.embedded.progress import Phase, Progress, TerminalLine, describe

__all__ = [
    "LARGE",
    "SMALL",
    "Builtin",
    "Mirror",
    "Model",
    "Phase",
    "Progress",
    "Sources",
    "TerminalLine",
    "describe",
]
