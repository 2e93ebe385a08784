"""One model server as the configuration describes it. Secrets are named here, never held."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from core.config.urls import Kind

AuthType = Literal["bearer", "basic", "header"]
AUTH_TYPES: tuple[AuthType, ...] = ("bearer", "basic", "header")
KEY_HEADER = "X-API-Key"
Strategy = Literal["round_robin", "weighted", "least_inflight", "latency", "warm_first"]
STRATEGIES: tuple[Strategy, ...] = (
    "round_robin",
    "weighted",
    "least_inflight",
    "latency",
    "warm_first",
)
MAX_INFLIGHT = 32
LARGEST_INFLIGHT = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthConfig:
    """Where an endpoint's secret is: in the environment variable `env` or in `file`, one of them.

    bearer sends `Authorization: Bearer SECRET`; basic takes the secret as `user:password`; header
    sends it as the header `name`.
    """

    type: AuthType = "bearer"
    env: str = ""
    file: Path | None = None
    name: str = KEY_HEADER

    @property
    def id(self) -> str:
        """Tells two ways of getting in apart, without the secret."""
        place = f"${self.env}" if self.env else str(self.file)
        return (
            f"{self.type} {self.name} {place}" if self.type == "header" else f"{self.type} {place}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderConfig:
    """A header that goes with every request: `value`, or what the variable `env` holds."""

    name: str
    value: str = ""
    env: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointConfig:
    """One model server: `url` is canonical (see core.config.urls), `auto` means ask the server.

    `name` is for people, '' for none. `weight` (1 to 1000) is its share under the strategies that
    know shares. `max_inflight` (1 to 1024): a call beyond it goes elsewhere, or waits. `ca_file`
    holds the certificates to trust in place of the system's. `drain` and `disabled` keep new calls
    away; a disabled one is not even looked at.
    """

    url: str
    kind: Kind = "auto"
    name: str = ""
    weight: int = 1
    max_inflight: int = MAX_INFLIGHT
    auth: AuthConfig | None = None
    headers: tuple[HeaderConfig, ...] = ()
    verify: bool = True
    ca_file: Path | None = None
    drain: bool = False
    disabled: bool = False

    @property
    def id(self) -> str:
        """What its state is kept under: the URL, and how one gets in where that needs a secret."""
        return f"{self.url} ({self.auth.id})" if self.auth else self.url

    @property
    def off(self) -> bool:
        """Whether it takes no new calls."""
        return self.drain or self.disabled
