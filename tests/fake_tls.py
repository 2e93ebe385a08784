"""A certificate of its own for 127.0.0.1, which nobody trusts unless told to, and its key."""

from __future__ import annotations

import ssl
from pathlib import Path

from fake_ollama import FakeOllama

CERTIFICATE = """\
-----BEGIN CERTIFICATE-----
MIIBnDCCAUGgAwIBAgIUGiXrpp2xYnLDRAfuFxSoFf2f8EcwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMzA3NTM1M1oYDzIxMjYxMDMw
MDc1MzUzWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAARKqJbk7DywMKu9UlFBYXYHcGM3hsy1+vcDk6EizgIUDXQhRciJkFsQ
YYom19RsnAw/d7+0u/VZeWUGAy/ydT6io28wbTAdBgNVHQ4EFgQUbIzJIkeBir9V
JyNMBsYJJfCbNFQwHwYDVR0jBBgwFoAUbIzJIkeBir9VJyNMBsYJJfCbNFQwDwYD
VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI
zj0EAwIDSQAwRgIhALcUV1VuTRm03Rwa3p6jW0rJObtI2J3Yci0nsGfMIaaMAiEA
wy9uGnfR+G1qmqVROEW8WpOBt+2y8ZGBBtUivss0tDQ=
-----END CERTIFICATE-----
"""
KEY = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgO/QF/L3VdmCKqoMF
wnL62Q/CvnWSdyPOcgBVNRbXTXuhRANCAARKqJbk7DywMKu9UlFBYXYHcGM3hsy1
+vcDk6EizgIUDXQhRciJkFsQYYom19RsnAw/d7+0u/VZeWUGAy/ydT6i
-----END PRIVATE KEY-----
"""


def write_certificate(folder: Path) -> Path:
    """The certificate as a file that a configuration can name."""
    path = folder / "ca.pem"
    path.write_text(CERTIFICATE)
    return path


def speak_tls(server: FakeOllama, folder: Path) -> str:
    """From now on the fake speaks https; its URL then."""
    path = folder / "server.pem"
    path.write_text(CERTIFICATE + KEY)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    server.wrap(context)
    return server.url.replace("http:", "https:")
