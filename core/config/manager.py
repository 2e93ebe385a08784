"""The seed's names for the configuration, for scripts and the Python shell."""

from __future__ import annotations

from pathlib import Path

from core.config.edit import as_role
from core.config.model import Config, RoleConfig
from core.config.store import ConfigStore


class ConfigManager:
    """The configuration by role name, for scripts: `ConfigManager("config.yaml")`."""

    def __init__(self, path: Path | str = "config.yaml") -> None:
        self.store = ConfigStore(path)

    @property
    def config(self) -> Config:
        """The live configuration."""
        return self.store.current

    @property
    def ollama_url(self) -> str:
        """The base URL, which `endpoint: null` means."""
        return self.config.base_url

    def get_model(self, role: str) -> str:
        """The role's model. Raises BadInput for an unknown role."""
        return self._role(role).model

    def get_model_endpoints(self, role: str) -> list[str]:
        """The role's endpoint URLs in rotation order. Raises BadInput for an unknown role."""
        return [endpoint.url for endpoint in self._role(role).endpoints]

    def _role(self, role: str) -> RoleConfig:
        return self.config.role(as_role(role))
