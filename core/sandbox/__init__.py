"""Run code that nobody has read: contained, limited, and with a verdict it can't fake."""

from core.sandbox.model import Execution, Limits, ProgramResult, Rung
from core.sandbox.sandbox import Sandbox

__all__ = ["Execution", "Limits", "ProgramResult", "Rung", "Sandbox"]
