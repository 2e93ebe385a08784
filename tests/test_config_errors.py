"""Every mistake in config.yaml: all at once, each with its dotted path, line and mend."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.config import load, parse
from core.errors import ConfigError

ONE_ROLE = "ollama: {models: {overseer: llama3}}\n"


def problems(text: str) -> list[tuple[str, int]]:
    """(path, line) of all problems."""
    with pytest.raises(ConfigError) as caught:
        parse(text, "config.yaml")
    assert all(problem.message for problem in caught.value.problems)
    return [(problem.path, problem.line) for problem in caught.value.problems]


def message(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse(text, "config.yaml")
    return str(caught.value)


def test_all_problems_at_once_in_file_order() -> None:
    text = """\
ollama:
  base_uri: "http://x"
  models:
    generator:
      model: 7
      endpoints:
        - "http://a:1"
        - "http://user:secret@b:1"
        - 5
    overseeer: "llama3"
    triage:
      endpoint: "ftp://x"
server:
  port: 70000
run:
  attempts: true
  attemps: 3
sandbox: [1]
"""
    assert problems(text) == [
        ("ollama.base_uri", 2),
        ("ollama.models.generator.model", 5),
        ("ollama.models.generator.endpoints[1]", 8),
        ("ollama.models.generator.endpoints[2]", 9),
        ("ollama.models.overseeer", 10),
        ("ollama.models.triage", 11),
        ("ollama.models.triage.endpoint", 12),
        ("server.port", 14),
        ("run.attempts", 16),
        ("run.attemps", 17),
        ("sandbox", 18),
    ]
    found = message(text)
    assert "Did you mean `base_url`?" in found
    assert "Did you mean `overseer`?" in found
    assert "Did you mean `attempts`?" in found
    assert "secret" not in found
    assert found.startswith("config.yaml: line 2, ollama.base_uri: unknown key.")


@pytest.mark.parametrize(
    ("text", "path", "line"),
    [
        ("", "file", 0),
        ("# nothing\n", "file", 0),
        ("---\n", "file", 0),
        ("null\n", "top level", 1),
        ("- a\n- b\n", "top level", 1),
        ("hello\n", "top level", 1),
        ("server: {}\n", "ollama", 1),
        ("ollama:\n", "ollama.models", 1),
        ("ollama:\n  models:\n", "ollama.models", 2),
        ("ollama:\n  models: {}\n", "ollama.models", 2),
        ("ollama: [1]\n", "ollama", 1),
        ("ollama:\n  models: [overseer]\n", "ollama.models", 2),
        ("ollama:\n  models:\n    overseer:\n", "ollama.models.overseer", 3),
        ("ollama:\n  models:\n    overseer: [m]\n", "ollama.models.overseer", 3),
        ("ollama:\n  models:\n    overseer: ''\n", "ollama.models.overseer", 3),
        ("ollama:\n  models:\n    overseer: 'a b'\n", "ollama.models.overseer", 3),
        ("ollama:\n\tmodels: 1\n", "YAML", 2),
        ("ollama: {models: {overseer: m}\nx: [\n", "YAML", 2),
        ("ollama:\n  models: 'x\n", "YAML", 3),
        (ONE_ROLE + "---\nx: 1\n", "YAML", 2),
        (ONE_ROLE + "x: \x00\n", "YAML", 2),
        (ONE_ROLE + "data_dir: a\u2028b\n", "YAML", 2),
        (ONE_ROLE + "run: {attempts: 1}\nrun: {attempts: 2}\n", "run", 3),
        (ONE_ROLE + "1: x\n", "top level", 2),
        (ONE_ROLE + "? [a]\n: x\n", "top level", 2),
        (ONE_ROLE + "<<: {run: {}}\n", "top level", 2),
        (ONE_ROLE + "run: {attempts: 3.0}\n", "run.attempts", 2),
        (ONE_ROLE + "run: {attempts: '3'}\n", "run.attempts", 2),
        (ONE_ROLE + "run: {attempts: 11}\n", "run.attempts", 2),
        (ONE_ROLE + "run: {attempts: -1}\n", "run.attempts", 2),
        (ONE_ROLE + "run: {parallel_runs: 0}\n", "run.parallel_runs", 2),
        (ONE_ROLE + "run: {attempts: !!int x}\n", "run.attempts", 2),
        (ONE_ROLE + "run: !!set {attempts}\n", "run", 2),
        (ONE_ROLE + "timeouts: {idle_s: .nan}\n", "timeouts.idle_s", 2),
        (ONE_ROLE + "timeouts: {idle_s: .inf}\n", "timeouts.idle_s", 2),
        (ONE_ROLE + "timeouts: {idle_s: true}\n", "timeouts.idle_s", 2),
        (ONE_ROLE + "sandbox: {allow_unsandboxed_code: 1}\n", "sandbox.allow_unsandboxed_code", 2),
        (
            ONE_ROLE + "sandbox: {allow_unsandboxed_code: 'no'}\n",
            "sandbox.allow_unsandboxed_code",
            2,
        ),
        ("\ufeff" + ONE_ROLE + "\r\nx: 1\r\n", "x", 3),
        (ONE_ROLE + "embedded: on\n", "embedded", 2),
        (ONE_ROLE + "embedded_threads: 0\n", "embedded_threads", 2),
        (ONE_ROLE + "data_dir: 5\n", "data_dir", 2),
        (ONE_ROLE + "data_dir: ~no-such-user-here/x\n", "data_dir", 2),
        (ONE_ROLE + "server: {host: 'http://x'}\n", "server.host", 2),
        (ONE_ROLE + "data_dir: !!python/object/apply:os.system ['true']\n", "data_dir", 2),
        ("ollama: {keep_alive: soon, models: {overseer: m}}", "ollama.keep_alive", 1),
        ("ollama: {keep_alive: true, models: {overseer: m}}", "ollama.keep_alive", 1),
        ("ollama: {num_ctx: 1, models: {overseer: m}}", "ollama.num_ctx", 1),
        ("ollama: {num_ctx: {'a:1': x}, models: {overseer: m}}", 'ollama.num_ctx["a:1"]', 1),
        ("ollama: {models: {overseer: {model: m, kind: x}}}", "ollama.models.overseer.kind", 1),
        (
            "ollama: {models: {overseer: {model: m, endpoints: 'http://a:1'}}}",
            "ollama.models.overseer.endpoints",
            1,
        ),
        (
            "ollama: {models: {overseer: {model: m, endpoint: {url: 'http://a', kind: tgi}}}}",
            "ollama.models.overseer.endpoint.kind",
            1,
        ),
        (
            "ollama: {models: {overseer: {model: m, endpoint: {kind: openai}}}}",
            "ollama.models.overseer.endpoint",
            1,
        ),
    ],
)
def test_one_mistake_is_one_problem_with_path_and_line(text: str, path: str, line: int) -> None:
    assert problems(text) == [(path, line)]


def test_messages_say_what_to_do() -> None:
    assert "Write one `- URL` line" in message(
        "ollama: {models: {overseer: {model: m, endpoints: 'http://a:1'}}}"
    )
    assert "first in line 1" in message(ONE_ROLE + ONE_ROLE)
    assert "Indent with spaces" in message("ollama:\n\tmodels: 1\n")
    assert "a whole number from 256 to 16_777_216" in message(
        "ollama: {num_ctx: 1, models: {overseer: m}}"
    )


def test_aliases_are_refused_with_all_other_problems() -> None:
    text = "ollama: {models: {overseer: &a m, triage: *a}}\nrun: {attempts: x}\nserver: *b\n"
    assert problems(text) == [("YAML", 1), ("run.attempts", 2), ("YAML", 3)]


def test_bombs_are_refused_quickly() -> None:
    levels = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30))
    assert {path for path, _ in problems(f"a0: &a0 x\n{levels}")} >= {"YAML"}
    assert problems("[" * 100_000) == [("YAML", 1)]
    assert problems("- " * 100_000) == [("YAML", 1)]
    assert problems("x" * 2_000_000) == [("file", 0)]
    assert problems(ONE_ROLE + "run: {attempts: " + "9" * 10_000 + "}") == [("run.attempts", 2)]


def test_files_that_are_none(tmp_path: Path) -> None:
    missing = tmp_path / "none.yaml"
    with pytest.raises(ConfigError, match=r"none\.yaml: file: there is no such file\. Copy"):
        load(missing)
    with pytest.raises(ConfigError, match="this is a directory"):
        load(tmp_path)
    latin = tmp_path / "latin.yaml"
    latin.write_bytes(ONE_ROLE.encode() + b"# caf\xe9\n")
    with pytest.raises(ConfigError, match="line 2, file: the text is not UTF-8"):
        load(latin)
    with pytest.raises(ConfigError, match="larger than"):
        load(Path("/dev/zero"))


def test_an_unreadable_file(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(ONE_ROLE, "utf-8")
    file.chmod(0)
    try:
        file.read_bytes()
    except PermissionError:
        with pytest.raises(ConfigError, match="read permission"):
            load(file)
    else:  # root reads everything: a path through a file fails in the same place
        with pytest.raises(ConfigError, match="can't be read"):
            load(file / "config.yaml")
