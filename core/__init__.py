"""CodeEvolver's engine: a goal in, tested Python out, on any mix of model endpoints."""

from core.config import ConfigManager
from core.endpoints import OllamaClient

__all__ = ["ConfigManager", "OllamaClient"]
