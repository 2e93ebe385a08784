"""What urllib3, ssl, http.client and the deadlines throw, as our errors with a sentence each."""

from __future__ import annotations

import http.client
import ssl
from urllib.parse import urlsplit

import urllib3

from core.endpoints.watchdog import StopReason
from core.errors import AppError, BadReply, Cancelled, NoReply, Unreachable

_GARBAGE = (http.client.HTTPException, UnicodeError, ValueError)


def send_error(url: str, error: Exception) -> AppError:
    """Why no reply's headers arrived."""
    if isinstance(error, AppError):
        return error
    if find(error, ssl.SSLCertVerificationError):
        message = f"The certificate of {url} is not trusted; set ca_file, or use a name it is for"
        return Unreachable(url, "certificate", message)
    if find(error, ssl.SSLError):
        message = f"{url} does not speak https; try the same address with http://"
        return Unreachable(url, "tls", message)
    if find(error, ConnectionError):  # before the garbage: RemoteDisconnected is a BadStatusLine
        return NoReply(url, "reset", f"{url} closed the connection without an answer")
    if find(error, *_GARBAGE):
        message = f"{url} is not an LLM server: its answer is not HTTP ({_head(error)})"
        return BadReply(url, "not_http", message)
    return NoReply(url, "reset", f"{url} broke the connection: {_head(error)}")


def read_error(url: str, error: Exception | None) -> AppError:
    """Why a reply's body broke off."""
    if isinstance(error, AppError):
        return error
    if error is not None and find(error, urllib3.exceptions.DecodeError):
        return BadReply(url, "corrupt", f"{url} sent a corrupt compressed reply")
    return NoReply(url, "cut", f"{url} cut its answer off")


def stop_error(url: str, reason: StopReason, seconds: float) -> AppError:
    """What a request that was stopped raises; `seconds` is the limit that it ran into."""
    match reason:
        case "cancel":
            return Cancelled()
        case "dns":
            host = urlsplit(url).hostname
            message = f"Host {host} did not resolve within {seconds:g} s (is the name server up?)"
            return Unreachable(url, "dns", message)
        case "connect":
            message = f"No answer from {url} in {seconds:g} s (off, firewalled?)"
            return Unreachable(url, "connect_timeout", message)
        case "first_byte":
            text = "accepted the call but sent nothing for"
            message = f"{url} {text} {seconds:g} s (model loading or stuck)"
            return NoReply(url, "first_byte_timeout", message)
        case "idle":
            message = f"{url} fell silent in the middle of its answer for {seconds:g} s"
            return NoReply(url, "idle_timeout", message)
        case "total":
            message = f"{url} did not finish within the {seconds:.3g} s left for the call"
            return NoReply(url, "total_timeout", message)


def find(error: BaseException, *kinds: type[BaseException]) -> bool:
    """Whether one of `kinds` is the error or among what led to it."""
    seen: set[int] = set()
    queue: list[object] = [error]
    while queue:
        one = queue.pop()
        if not isinstance(one, BaseException) or id(one) in seen:
            continue
        if isinstance(one, kinds):
            return True
        seen.add(id(one))
        queue += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]
    return False


def _head(error: BaseException) -> str:
    return str(error)[:120]
