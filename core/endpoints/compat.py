"""The client that the first version's scripts use: OllamaClient(config.ollama_url, ...)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.cancel import Cancel
from core.config import Config, EndpointConfig
from core.config.urls import normalise
from core.endpoints.client import Client
from core.endpoints.values import Message, Request
from core.events import Role

if TYPE_CHECKING:
    from core.config import ConfigManager


class OllamaClient:
    """Text in, text out, over the endpoints of a role.

    Without a `config_manager` every role is served by `base_url`.
    """

    def __init__(self, base_url: str, config_manager: ConfigManager | None = None) -> None:
        self._fixed = Config.simple(base_url) if config_manager is None else None
        self._manager = config_manager
        self._client = Client(self._config)

    @property
    def _endpoint_counters(self) -> dict[str, int]:
        """Requests by role, of roles with one endpoint too."""
        return self._client.counters

    def generate(
        self,
        prompt: str,
        model: str | None = None,
        model_key: Role = "generator",
        *,
        endpoint: str | None = None,
        system: str | None = None,
        temperature: float = 0.2,
        max_tokens: int = 1536,
        cancel: Cancel | None = None,
    ) -> str:
        """The reply's text. `model` and `endpoint` take the place of the role's own.

        Raises as Client.chat.
        """
        entry = self._config().role(model_key)
        endpoints = entry.endpoints
        if endpoint is not None:
            url, kind = normalise(endpoint)
            endpoints = (EndpointConfig(url=url, kind=kind),)
        messages = [Message(role="system", content=system)] if system else []
        messages.append(Message(role="user", content=prompt))
        request = Request(messages=tuple(messages), temperature=temperature, max_tokens=max_tokens)
        reply = self._client.chat_at(
            model_key,
            model or entry.model,
            endpoints,
            request,
            watcher=_Silent(),
            cancel=cancel or Cancel(),
        )
        return reply.text

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def _config(self) -> Config:
        if self._fixed is not None:
            return self._fixed
        assert self._manager is not None
        return self._manager.config


class _Silent:
    """A watcher that has nobody to tell; the log lines are written all the same."""

    def sent(
        self,
        *,
        model: str,
        endpoint: str,
        characters: int,
        prompt_tokens_estimated: int,
        context_size: int,
    ) -> None: ...

    def token(self, text: str) -> None: ...

    def failed(self, *, endpoint: str, error: str, message: str, cooldown_s: float) -> None: ...
