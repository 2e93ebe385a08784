"""Laws of the configuration that hold for any input."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import Any

import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from core.config import ConfigStore, normalise, parse
from core.config.comments import comment_lines
from core.config.parse import OLLAMA, RUN, SANDBOX, SERVER, TIMEOUTS, TOP
from core.errors import ConfigError
from core.events import ROLES

WORDS = [*TOP, *OLLAMA, *SERVER, *SANDBOX, *TIMEOUTS, *RUN, *ROLES]
WORDS += ["model", "endpoint", "endpoints", "url", "kind", "default"]
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.dates()
    | st.binary(max_size=4)
    | st.sampled_from([*WORDS, "http://a:1", "off", "auto", "10m"])
)
documents = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(WORDS) | scalars, inner, max_size=4)
    ),
    max_leaves=12,
)
syntax = st.lists(
    st.sampled_from(
        [*"-?:,[]{}#&*!|>'\"%@`\n\t ~", "  ", "\n  ", "- ", ": ", "&a ", "*a", "!!", "<<"]
    )
    | st.sampled_from(WORDS)
    | st.characters(),
    max_size=30,
).map("".join)


def only_config_error(text: str) -> None:
    with contextlib.suppress(ConfigError):
        config = parse(text, "any")
        assert set(config.models) == set(ROLES)
        assert all(role.endpoints for role in config.models.values())
        assert len(config.digest) == 12


@settings(deadline=None)
@given(st.text() | syntax)
@example("\ud800")
@example("a: !!int ''")
@example("a: !!bool x\nb: !!null x\n? !!float x\n: 1")
@example("ollama: !!str {}\nrun: !!int [1]")
def test_any_text_parses_or_is_a_config_error(text: str) -> None:
    only_config_error(text)


@settings(deadline=None)
@given(st.sampled_from(["ollama: {models: {overseer: m}}\n", "ollama:\n  models:\n"]), syntax)
def test_any_end_of_a_good_file_parses_or_is_a_config_error(start: str, text: str) -> None:
    only_config_error(start + text)


@settings(deadline=None)
@given(documents, st.sampled_from(WORDS))
def test_any_document_parses_or_is_a_config_error(document: Any, key: str) -> None:
    good = {"ollama": {"models": {"overseer": "m"}}}
    for value in (document, {**good, key: document}, {"ollama": {**good["ollama"], key: document}}):
        only_config_error(yaml.safe_dump(value))


urls = st.sampled_from(
    ["http://localhost:11434", "http://a:1", "b:2/v1", "http://c/", "https://d/x", "0.0.0.0"]
)
models = st.sampled_from(["llama3", "on", "1", "qwen2.5-coder:14b", "a#b", "~", "'x\"", "#", "é"])
comments = st.sampled_from(["# note", "# key: value", "#key: 1", "# 'quote", "#"])
entries = (
    models.map(lambda model: repr(model) if "'" not in model else '"x"')
    | st.just("null")
    | st.builds("{{model: m, endpoint: '{}'}}  ".format, urls)
    | st.builds("{{model: m, endpoints: [null, '{}']}}".format, urls)
)


@st.composite
def files(draw: st.DrawFn) -> str:
    """A good file in block style with comments above and beside its lines."""
    lines = ["ollama:", "  models:"]
    for role in draw(st.lists(st.sampled_from(ROLES), unique=True, min_size=1)):
        form = draw(st.sampled_from(["flow", "single", "list", "null"]))
        if form == "flow":
            lines.append(f"    {role}: {draw(entries.filter(lambda entry: entry != 'null'))}")
            continue
        lines += [f"    {role}:", "      model: 'm'"]
        if form == "null":
            lines.append("      endpoint:" + draw(st.sampled_from(["", " null", " ~"])))
        elif form == "single":
            lines.append(f"      endpoint: {draw(urls)}")
        else:
            pad = draw(st.sampled_from(["      ", "        "]))
            lines.append("      endpoints:")
            lines += [f"{pad}- {url}" for url in draw(st.lists(urls, min_size=1, max_size=4))]
    lines += draw(st.sampled_from([[], ["run:"], ["run:", "  attempts: 1"], ["embedded: off"]]))
    text = []
    for line in lines:
        for _ in range(draw(st.integers(0, 2))):
            spaces = " " * draw(st.integers(0, 8))
            text.append(draw(st.just("") | comments.map(lambda note, at=spaces: at + note)))
        beside = draw(st.just("") | comments)
        text.append(f"{line}  {beside}".rstrip())
    text += draw(st.lists(st.just("") | comments, max_size=2))
    return "\n".join(text) + draw(st.sampled_from(["\n", ""]))


@settings(max_examples=40, deadline=None)
@given(
    files(),
    st.lists(
        st.tuples(st.sampled_from(ROLES), models, st.lists(urls | st.none(), max_size=4)),
        min_size=1,
        max_size=3,
    ),
)
def test_a_save_gives_what_was_saved_and_keeps_every_comment(
    text: str, saves: list[tuple[str, str, list[str | None]]]
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "config.yaml"
        path.write_text(text, "utf-8")
        store = ConfigStore(path)
        for role, model, endpoints in saves:
            before = store.current
            config = store.save_role(role, model, endpoints)
            after = path.read_text("utf-8")
            assert parse(after, "saved", path=path) == config == store.current
            assert comment_lines(after) == comment_lines(text)
            saved = config.models[role]  # type: ignore[index]  # one of ROLES
            wanted = [normalise(url or "http://localhost:11434")[0] for url in endpoints]
            assert saved.model == model
            assert [endpoint.url for endpoint in saved.endpoints] == list(
                dict.fromkeys(wanted or ["http://localhost:11434"])
            )
            for other in ROLES:
                if other != role and other not in {**before.inherited, **config.inherited}:
                    assert config.models[other] == before.models[other]
            store.save_role(role, model, endpoints)
            assert path.read_text("utf-8") == after  # saving again changes nothing
