"""What each kind of failure means for its endpoint, and what HTTP statuses say."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from core.endpoints.retry_after import retry_after_s
from core.errors import BadReply, EndpointError, ModelMissing


class Effect(Enum):
    """What a failure does to the endpoint's health."""

    NONE = "none"
    STRIKE = "strike"  # three in a row open it
    OPEN = "open"  # passed over at once, for longer each time
    BUSY = "busy"  # passed over shortly
    RATE_LIMITED = "rate_limited"  # passed over for as long as it says
    MISCONFIGURED = "misconfigured"  # passed over for a minute: a person must mend it
    MODEL_MISSING = "model_missing"  # only this model is passed over there, for a minute
    MODEL_UNFIT = "model_unfit"  # only this model is passed over there, for five minutes


@dataclass(frozen=True, slots=True)
class Fault:
    """`absent`: nobody there can serve the model, so the built-in model may.

    `final`: no other endpoint would do better. `base_s`: the least cooldown.
    """

    effect: Effect
    absent: bool = False
    final: bool = False
    base_s: float = 0.0


class RateLimited(BadReply):
    """Status 429: `retry_after_s` as the server asks, 0 when it doesn't."""

    def __init__(self, endpoint: str, message: str, retry_after_s: float) -> None:
        super().__init__(endpoint, "rate_limited", message, 429)
        self.retry_after_s = retry_after_s


FAULTS: dict[str, Fault] = {
    "refused": Fault(Effect.OPEN, absent=True),
    "dns": Fault(Effect.OPEN, absent=True, base_s=30.0),
    "connect_timeout": Fault(Effect.OPEN, absent=True),
    "no_route": Fault(Effect.OPEN, absent=True),
    "tls": Fault(Effect.MISCONFIGURED, absent=True),
    "certificate": Fault(Effect.MISCONFIGURED, absent=True),
    "not_http": Fault(Effect.MISCONFIGURED, absent=True),
    "not_a_model_reply": Fault(Effect.MISCONFIGURED, absent=True),
    "no_such_api": Fault(Effect.MISCONFIGURED, absent=True),
    "redirect": Fault(Effect.MISCONFIGURED, absent=True),
    "forbidden": Fault(Effect.MISCONFIGURED, absent=True),
    "no_secret": Fault(Effect.MISCONFIGURED, absent=True),
    "model_missing": Fault(Effect.MODEL_MISSING, absent=True),
    "out_of_memory": Fault(Effect.MODEL_UNFIT, absent=True),
    "reset": Fault(Effect.STRIKE),
    "first_byte_timeout": Fault(Effect.STRIKE),
    "idle_timeout": Fault(Effect.STRIKE),
    "cut": Fault(Effect.STRIKE),
    "corrupt": Fault(Effect.STRIKE),
    "malformed": Fault(Effect.STRIKE),
    "stream_error": Fault(Effect.STRIKE),
    "server_error": Fault(Effect.STRIKE),
    "busy": Fault(Effect.BUSY),
    "rate_limited": Fault(Effect.RATE_LIMITED),
    "unfinished": Fault(Effect.NONE),  # the model gave up, the server is well
    "too_large": Fault(Effect.NONE, final=True),
    "total_timeout": Fault(Effect.NONE, final=True),
    "bad_request": Fault(Effect.NONE, final=True),
}

_MISSING = re.compile(
    r"model\b.*\b(not found|does not exist|not exist)\b|try pulling it first"
    r"|invalid model (name|identifier|id)\b|not a valid model\b|model_not_found|unknown model\b"
    r"|no such model\b",
    re.I | re.S,
)
_MEMORY = re.compile(r"system memory|out of memory|\boom\b|cudaMalloc", re.I)
# As the code of an error within a stream these say more than that it broke off.
_TELLING = {"400", "401", "402", "403", "404", "413", "422", "429", "503"}
_HINTS = {
    401: "key rejected",
    402: "has the account run out of credit?",
    403: "Host not allowed? Set OLLAMA_HOST=0.0.0.0",
}
TEXT_LIMIT = 300
_NO_API = re.compile(r"unexpected endpoint|unknown path", re.I)


def fault_of(error: EndpointError) -> Fault:
    """The fault that the error's class stands for."""
    fault = FAULTS[error.error_class]
    if isinstance(error, RateLimited):
        return replace(fault, base_s=error.retry_after_s)
    return fault


def status_error(
    url: str, model: str, status: int, body: bytes, headers: Mapping[str, str]
) -> EndpointError:
    """The error that an HTTP status other than 200 stands for."""
    text = error_text(body) or "no explanation"
    said = f"HTTP {status}: {text}"
    if 300 <= status < 400:
        location = headers.get("Location", "elsewhere")
        message = f"{url} redirects to {location}; put that address in the config"
        return BadReply(url, "redirect", message, status)
    if status < 300:
        return not_a_reply(url, body)
    if status in _HINTS:
        return BadReply(url, "forbidden", f"{said} ({_HINTS[status]})", status)
    if status in (400, 404, 405, 422) and _MISSING.search(text):
        return model_missing(url, model)
    if status in (404, 405):
        message = f"{url} has no such API (HTTP {status}): wrong kind or base path"
        return BadReply(url, "no_such_api", message, status)
    if status == 429:
        return RateLimited(url, f"{url} limits our rate: {text}", retry_after_s(headers))
    if status in (503, 529):
        return BadReply(url, "busy", f"{url} is busy: {text}", status)
    if status >= 500 or status == 408:
        kind = "out_of_memory" if _MEMORY.search(text) else "server_error"
        return BadReply(url, kind, said, status)
    return BadReply(url, "bad_request", f"{url} refused the request: {text}", status)


def stream_error(url: str, model: str, text: str, code: object = None) -> EndpointError:
    """The error that a server reported within a reply that had begun with status 200.

    `code` is what the server gives as such: often the HTTP status that came too late.
    """
    text = text[:TEXT_LIMIT]
    if str(code) in _TELLING:
        body = json.dumps({"error": text}).encode()
        return status_error(url, model, int(str(code)), body, {})
    if _MISSING.search(text):
        return model_missing(url, model)
    if _NO_API.search(text):
        return BadReply(url, "no_such_api", f"the server said: {text}", 200)
    kind = "out_of_memory" if _MEMORY.search(text) else "stream_error"
    return BadReply(url, kind, f"the server said: {text}", 200)


def model_missing(url: str, model: str) -> ModelMissing:
    """The endpoint lacks the model."""
    return ModelMissing(url, "model_missing", f"Model {model} is not on {url}")


def not_a_reply(url: str, head: bytes) -> BadReply:
    """Status 200, but a web page or something else that no model server sends."""
    what = "a web page" if head.lstrip()[:1] == b"<" else "something"
    message = f"{url} answered with {what}, not with a model's reply; check the address"
    return BadReply(url, "not_a_model_reply", message, 200)


def malformed(url: str, line: bytes) -> BadReply:
    """A line that is not the JSON it should be."""
    head = line[:120].decode("utf-8", "replace")
    return BadReply(url, "malformed", f"{url} sent invalid JSON: {head}", 200)


def unfinished(url: str) -> BadReply:
    """The reply ended cleanly but without its closing word."""
    message = f"The model at {url} stopped without finishing (repetition?)"
    return BadReply(url, "unfinished", message, 200)


def error_text(body: bytes) -> str:
    """The server's own words, out of any of the error shapes in use; at most 300 characters."""
    try:
        plain = json.loads(body)
    except ValueError:
        text = body.decode("utf-8", "replace").strip()
        return "" if text.startswith("<") else text[:TEXT_LIMIT]
    return error_words(plain)[:TEXT_LIMIT]


def error_words(plain: Any) -> str:
    """The message in {"error": text}, {"error": {"message"}}, {"message"} or {"detail"}."""
    if isinstance(plain, dict):
        for key in ("error", "message", "detail"):
            if plain.get(key):
                return error_words(plain[key])
    return plain if isinstance(plain, str) else json.dumps(plain)
