"""Run code that nobody has read: contained, limited, and with a verdict it can't fake."""

from core.sandbox.model import NO_CASE_RAN, Execution, Limits, ProgramResult, Rung
from core.sandbox.sandbox import Sandbox

__all__ = ["NO_CASE_RAN", "Execution", "Limits", "ProgramResult", "Rung", "Sandbox"]
