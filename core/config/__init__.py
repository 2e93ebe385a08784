"""The configuration: YAML -> frozen values, and saves that keep the user's comments."""

from core.config.edit import as_role
from core.config.endpoint import AuthConfig, EndpointConfig, HeaderConfig, Strategy
from core.config.manager import ConfigManager
from core.config.model import (
    DEFAULT_BASE_URL,
    FALLBACKS,
    Config,
    RoleConfig,
    RunConfig,
    SandboxConfig,
    Timeouts,
)
from core.config.parse import parse
from core.config.store import ConfigStore, load
from core.config.urls import BadUrl, Kind, normalise

__all__ = [
    "DEFAULT_BASE_URL",
    "FALLBACKS",
    "AuthConfig",
    "BadUrl",
    "Config",
    "ConfigManager",
    "ConfigStore",
    "EndpointConfig",
    "HeaderConfig",
    "Kind",
    "RoleConfig",
    "RunConfig",
    "SandboxConfig",
    "Strategy",
    "Timeouts",
    "as_role",
    "load",
    "normalise",
    "parse",
]
