"""Who may ask for what: Host, Origin, form tokens, sizes and the headers of every answer.

There is no log-in: whoever reaches the port may use the app. These rules keep other web sites that
the user's browser has open from reaching it through that browser.
"""

from __future__ import annotations

import contextlib
import hmac
import ipaddress
import os
import secrets
import socket
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from flask import Flask, Response, abort, request

MAX_BODY_BYTES = 1024 * 1024
# The addresses that take files, and in what.
_FORM = ("multipart/form-data",)
UPLOADS = {"pages.start": _FORM, "tries.start": _FORM, "api.start": ("application/json",)}
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


class Security:
    """The rules for one app that listens on `host`; its secret lives in `data_dir`.

    `upload_limit` gives the longest body in bytes for the addresses that take files.
    """

    def __init__(
        self, app: Flask, host: str, data_dir: Path, upload_limit: Callable[[], int]
    ) -> None:
        self._upload_limit = upload_limit
        self._host = host.strip("[]").lower()
        self._any_address = self._host in ("0.0.0.0", "::", "")
        self._names = LOOPBACK_NAMES | {self._host}
        if self._any_address:
            self._names |= {socket.gethostname().lower()}
        self._secret = load_secret(data_dir / "secret")
        # Cookies don't know ports: a name of its own keeps two apps on one host apart.
        self._cookie = f"codeevolver_{self._sign('name')[:8]}"
        app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
        app.config["MAX_FORM_MEMORY_SIZE"] = MAX_BODY_BYTES
        app.before_request(self._guard)
        app.after_request(self._finish)
        app.jinja_env.globals["csrf_token"] = self.form_token

    def form_token(self) -> str:
        """What every form carries in its field `csrf`.

        The same for every page of this installation: a page can be read only with our own
        Host, so knowing the token proves that one was; and no open page goes stale.
        """
        return self._sign("form")

    def _sign(self, purpose: str) -> str:
        return hmac.digest(self._secret, purpose.encode(), "sha256").hex()

    def _guard(self) -> None:
        if not self._host_allowed():
            abort(
                403,
                f"This address ({request.host}) is not one that the app answers to. "
                "Open it by the address it printed at start, or set server.host.",
            )
        if request.mimetype in UPLOADS.get(request.endpoint or "", ()):
            request.max_content_length = self._upload_limit()
        upgrade = request.headers.get("Upgrade", "").lower() == "websocket"
        if (request.method not in SAFE_METHODS or upgrade) and not same_origin():
            abort(403, "The request comes from another web site.")
        posts_form = request.method not in SAFE_METHODS and not request.path.startswith("/api/")
        if posts_form and not self._token_fits():
            abort(403, "The form's token is missing or old. Go back, reload the page, try again.")

    def _host_allowed(self) -> bool:
        try:
            name = (urlsplit(f"//{request.host}").hostname or "").rstrip(".")
        except ValueError:
            return False
        if name in self._names:
            return True
        # A foreign site can point its own name at us (DNS rebinding), but never a bare address.
        with contextlib.suppress(ValueError):
            return self._any_address and bool(ipaddress.ip_address(name))
        return False

    def _token_fits(self) -> bool:
        cookie = request.cookies.get(self._cookie, "")
        token = request.form.get("csrf", "")
        return hmac.compare_digest(cookie.encode(), self._sign("cookie").encode()) and (
            hmac.compare_digest(token.encode(), self.form_token().encode())
        )

    def _finish(self, response: Response) -> Response:
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        response.headers["Content-Security-Policy"] = content_security_policy(
            request.host if self._host_allowed() else ""
        )
        if request.path.startswith("/static/vendor/"):
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        else:
            response.headers["Cache-Control"] = "no-cache"
        if response.mimetype == "text/html" and self._cookie not in request.cookies:
            response.set_cookie(
                self._cookie,
                self._sign("cookie"),
                max_age=365 * 86400,
                httponly=True,
                samesite="Strict",
                secure=request.is_secure,
            )
        return response


def same_origin() -> bool:
    """Whether the request is from one of our own pages, or from no web page at all."""
    origin = request.headers.get("Origin")
    if origin is not None:
        with contextlib.suppress(ValueError):
            return urlsplit(origin).netloc.lower() == request.host.lower()
        return False
    return request.headers.get("Sec-Fetch-Site", "none") in ("same-origin", "none")


def content_security_policy(host: str) -> str:
    """Only our own files, nothing inline. Older Safari wants the websocket's origin by name."""
    sockets = f" ws://{host} wss://{host}" if host else ""
    return (
        "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self'; "
        f"connect-src 'self'{sockets}; object-src 'none'; base-uri 'none'; "
        "frame-ancestors 'none'; form-action 'self'"
    )


def load_secret(path: Path) -> bytes:
    """The installation's secret, made at first use; one for this process if it can't be kept."""
    fresh = secrets.token_bytes(32)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(fresh)
        kept = path.read_bytes()
    except OSError:
        return fresh
    return kept if len(kept) == len(fresh) else fresh
