"""Endpoint URLs: one text for one endpoint, and what is refused."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.config import BadUrl, Kind, normalise


@pytest.mark.parametrize(
    ("text", "url", "kind"),
    [
        ("http://localhost:11434", "http://localhost:11434", "auto"),
        ("http://localhost:11434/", "http://localhost:11434", "auto"),
        (" http://localhost:11434/// ", "http://localhost:11434", "auto"),
        ("localhost:11434", "http://localhost:11434", "auto"),
        ("gpu-1", "http://gpu-1:11434", "auto"),
        ("http://gpu-1", "http://gpu-1:11434", "auto"),
        ("http://gpu-1:80", "http://gpu-1:80", "auto"),
        ("https://gpu-1", "https://gpu-1", "auto"),
        ("HTTP://GPU-1:1", "http://gpu-1:1", "auto"),
        ("http://0.0.0.0:11434", "http://127.0.0.1:11434", "auto"),
        ("http://[::]:11434", "http://[::1]:11434", "auto"),
        ("http://[::1]:11434/api", "http://[::1]:11434", "auto"),
        ("http://a:1/api/chat", "http://a:1", "auto"),
        ("http://a:1/v1", "http://a:1", "openai"),
        ("http://a:1/v1/", "http://a:1", "openai"),
        ("http://a/v1", "http://a", "openai"),
        ("http://a:1/v1/chat/completions", "http://a:1", "openai"),
        ("https://openrouter.ai/api/v1", "https://openrouter.ai/api", "openai"),
        ("https://proxy/ollama/", "https://proxy/ollama", "auto"),
        ("http://proxy/ollama/api", "http://proxy/ollama", "auto"),
        ("http://under_score:1", "http://under_score:1", "auto"),
        ("http://bücher:1", "http://bücher:1", "auto"),
    ],
)
def test_one_text_for_one_endpoint(text: str, url: str, kind: Kind) -> None:
    assert normalise(text) == (url, kind)


def test_a_written_kind_stays() -> None:
    assert normalise("http://a", "openai") == ("http://a", "openai")
    assert normalise("http://a", "ollama") == ("http://a:11434", "ollama")
    assert normalise("http://a:1/v1", "ollama") == ("http://a:1", "ollama")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("http://", "no host"),
        ("http:///x", "no host"),
        ("//a:1", "no host"),
        ("ftp://a:1", "neither http"),
        ("http://a b:1", "space"),
        ("http://a:1/x y", "space"),
        ("http://a\n:1", "space"),
        ("http://a\\b", "backslash"),
        ("http://a:1?key=secret", "query"),
        ("http://a:1?", "query"),
        ("http://a:1#secret", "fragment"),
        ("http://user:secret@a:1", "user name"),
        ("user:secret@a:1", "user name"),
        ("http://secret@a:1", "user name"),
        ("http://a:", "port"),
        ("http://a:0", "port"),
        ("http://a:65536", "port"),
        ("http://a:x", "port"),
        ("javascript:alert(1)", "port"),
        ("http://[::1", "not a URL"),
        ("http://[::x]:1", "not"),
        ("http://999.1.1.1", "not an IP address"),
        ("http://a..b:1", "host name"),
        ("http://" + "a" * 64, "host name"),
        ("http://" + "a" * 3000, "longer"),
        ("http://a,b:1", "host name"),
    ],
)
def test_what_is_no_base_url_is_refused_without_quoting_secrets(text: str, said: str) -> None:
    with pytest.raises(BadUrl, match=said) as caught:
        normalise(text)
    assert caught.value.mend
    assert "secret" not in str(caught.value)


_PIECES = st.sampled_from(
    ["http://", "https://", "a", "gpu-1", ":1", ":80", "/", "/v1", "/api", "/x", "[::1]", ".", "@"]
)


@settings(deadline=None)
@given(st.lists(_PIECES, max_size=7).map("".join), st.sampled_from(["auto", "ollama", "openai"]))
def test_normalising_twice_is_normalising_once(text: str, kind: Kind) -> None:
    with contextlib.suppress(BadUrl):
        once = normalise(text, kind)
        assert normalise(*once) == once


@settings(deadline=None)
@given(st.text())
def test_any_text_is_a_url_or_refused(text: str) -> None:
    with contextlib.suppress(BadUrl):
        url, _ = normalise(text)
        assert url.startswith(("http://", "https://"))
