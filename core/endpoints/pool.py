"""One endpoint's connections, by urllib3 itself. No retries, proxies, cookies or redirects."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from json import dumps as json_text
from pathlib import Path
from typing import Any

from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3 import BaseHTTPResponse, HTTPHeaderDict
from urllib3.connection import port_by_scheme
from urllib3.util import parse_url

from core.config import EndpointConfig
from core.config.endpoint import LARGEST_INFLIGHT
from core.endpoints.connections import POOLS
from core.errors import Unreachable

_GET = {
    "User-Agent": "codeevolver",
    "Accept": "*/*",
    "Accept-Encoding": "identity",
    "Connection": "keep-alive",  # some servers of HTTP/1.0 keep it then
}
_POST = {**_GET, "Content-Type": "application/json"}


class Pool:
    """An endpoint's connections; `used_at` in seconds of time.monotonic."""

    def __init__(self, endpoint: EndpointConfig) -> None:
        parts = parse_url(endpoint.url)
        scheme = parts.scheme or "http"
        tls = _tls(endpoint) if scheme == "https" else {}
        self.used_at = 0.0
        self._prefix = (parts.path or "").rstrip("/")
        # No PoolManager: clearing one leaves its connections to the garbage collector.
        self._pool = POOLS[scheme](
            parts.host or "", parts.port or port_by_scheme[scheme], maxsize=LARGEST_INFLIGHT, **tls
        )

    def ask(
        self, path: str, headers: Mapping[str, str], json: dict[str, Any] | None
    ) -> BaseHTTPResponse:
        """POST `json` (GET without); the response once its headers are here."""
        own = _GET if json is None else _POST
        return self._pool.urlopen(
            "GET" if json is None else "POST",
            self._prefix + path,
            body=None if json is None else json_text(json, allow_nan=False).encode(),
            headers=_merged(own, headers) if headers else own,
            retries=False,
            redirect=False,
            assert_same_host=False,
            timeout=None,  # the guard keeps time
            preload_content=False,
            decode_content=False,
        )

    def close(self) -> None:
        """Close those that are idle now, and each of the others when its call has ended."""
        self._pool.close()


def _tls(endpoint: EndpointConfig) -> dict[str, Any]:
    if not endpoint.verify:
        return {"cert_reqs": "CERT_NONE"}
    if endpoint.ca_file is not None:
        _check(endpoint.url, endpoint.ca_file)
    ca_certs = str(endpoint.ca_file or DEFAULT_CA_BUNDLE_PATH)
    return {"cert_reqs": "CERT_REQUIRED", "ca_certs": ca_certs}


def _check(url: str, ca_file: Path) -> None:
    """Load it once by itself: urllib3 would tell a bad file as a fault of the connection."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(ca_file)
    except ssl.SSLError as error:
        wrong = "it holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)"
        raise _unusable(url, ca_file, wrong) from error
    except OSError as error:
        reason = (error.strerror or "it can't be read").lower()
        raise _unusable(url, ca_file, reason) from error


def _unusable(url: str, ca_file: Path, reason: str) -> Unreachable:
    message = f"The ca_file {ca_file} of {url} can't be used: {reason}"
    return Unreachable(url, "certificate", message)


def _merged(own: Mapping[str, str], given: Mapping[str, str]) -> HTTPHeaderDict:
    """What is given replaces our own, whatever the case of its name."""
    headers = HTTPHeaderDict(own)
    headers.update(given)
    return headers
