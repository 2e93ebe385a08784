"""Saving: the values change, all else that the user wrote stays; or nothing changes at all."""

from __future__ import annotations

import difflib
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from core.config import ConfigStore, load
from core.config.comments import comment_lines
from core.errors import BadInput, ConfigError, StorageError

LOCAL = "http://localhost:11434"
SHIPPED = Path(__file__).parents[1] / "config.yaml"

EXAMPLE = """\
# My machines
ollama:   # all of it
  base_url: "http://localhost:11434"  # Fallback

  models:
    # Strategy on powerful CPU
    overseer:
      model: 'llama3'   # single quotes
      endpoint: null  # Local

    # Code generation distributed across GPUs
    generator:
      model: codellama
      endpoints:  # three
        # the old one
        - "http://gpu-1:11434"  # slow
        # the new ones
        - {url: "http://gpu-2:8000", kind: openai}
        - http://gpu-3:11434/

    # Complex fixes
    escalation: "qwen2.5-coder:14b"  # short form
  # end of the models

# How often
run:
  #attempts: 3
  max_tokens: 1_024

# The end
"""

Writer = Callable[[str], ConfigStore]


@pytest.fixture
def written(tmp_path: Path) -> Writer:
    """Makes a store on a new config.yaml with this text."""

    def write(text: str) -> ConfigStore:
        file = tmp_path / "config.yaml"
        file.write_bytes(text.encode())
        return ConfigStore(file)

    return write


def changes(before: str, store: ConfigStore) -> list[str]:
    """The lines that went (-) and came (+), in file order."""
    delta = difflib.ndiff(before.splitlines(), store.path.read_text("utf-8").splitlines())
    return [line[0] + line[2:] for line in delta if line[0] in "+-"]


def test_a_model_name_changes_one_line(written: Writer) -> None:
    store = written(EXAMPLE)
    config = store.save_role("overseer", "llama4", [LOCAL])
    assert changes(EXAMPLE, store) == [
        "-      model: 'llama3'   # single quotes",
        '+      model: "llama4"   # single quotes',
    ]
    assert store.current is config
    assert config == load(store.path)


@pytest.mark.parametrize("same", [[LOCAL], [None], [], ["localhost:11434/"]])
def test_null_stays_null_and_an_unchanged_save_writes_nothing(
    written: Writer, same: list[str | None]
) -> None:
    store = written(EXAMPLE)
    before = store.path.stat()
    store.save_role("overseer", "llama3", same)
    assert store.path.read_text("utf-8") == EXAMPLE
    assert store.path.stat().st_ino == before.st_ino


def test_one_becomes_many_in_the_same_place(written: Writer) -> None:
    store = written(EXAMPLE)
    config = store.save_role("overseer", "llama3", ["http://a:1", None, "b:2/v1"])
    assert changes(EXAMPLE, store) == [
        "-      endpoint: null  # Local",
        "+      endpoints:  # Local",
        '+        - "http://a:1"',
        "+        - null",
        '+        - "b:2/v1"',
    ]
    assert [endpoint.url for endpoint in config.role("overseer").endpoints] == [
        "http://a:1",
        LOCAL,
        "http://b:2",
    ]


def test_a_reordered_list_keeps_forms_and_moves_comments_along(written: Writer) -> None:
    store = written(EXAMPLE)
    store.save_role(
        "generator", "codellama", ["http://gpu-3:11434", "http://gpu-2:8000", "http://gpu-1:11434"]
    )
    text = store.path.read_text("utf-8")
    assert (
        """\
      endpoints:  # three
        - http://gpu-3:11434/
        # the new ones
        - {url: "http://gpu-2:8000", kind: openai}
        # the old one
        - "http://gpu-1:11434"  # slow

    # Complex fixes
    escalation"""
        in text
    )
    assert store.current.role("generator").endpoints[1].kind == "openai"


def test_a_removed_endpoint_leaves_its_comments_behind(written: Writer) -> None:
    store = written(EXAMPLE)
    store.save_role("generator", "codellama", ["http://gpu-3:11434"])
    text = store.path.read_text("utf-8")
    assert "      endpoints:  # three\n" in text  # a list stays a list
    assert "        - http://gpu-3:11434/\n\n    # Complex fixes\n" in text
    assert comment_lines(text) == comment_lines(EXAMPLE)


def test_an_emptied_list_means_the_base_url(written: Writer) -> None:
    store = written(EXAMPLE)
    config = store.save_role("generator", "codellama", [])
    assert [endpoint.url for endpoint in config.role("generator").endpoints] == [LOCAL]
    assert comment_lines(store.path.read_text("utf-8")) == comment_lines(EXAMPLE)


def test_the_short_form_becomes_a_mapping(written: Writer) -> None:
    store = written(EXAMPLE)
    store.save_role("escalation", "qwen3", ["http://big:11434"])
    assert changes(EXAMPLE, store) == [
        '-    escalation: "qwen2.5-coder:14b"  # short form',
        "+    escalation:  # short form",
        '+      model: "qwen3"',
        '+      endpoint: "http://big:11434"',
    ]


def test_an_absent_role_is_added_after_the_others(written: Writer) -> None:
    store = written(EXAMPLE)
    config = store.save_role("triage", "on", [LOCAL])
    assert changes(EXAMPLE, store) == [
        "+    triage:",
        '+      model: "on"',
        "+      endpoint: null",
    ]
    assert config.role("triage").model == "on"
    assert "triage" not in config.inherited


def test_duplicates_are_written_once(written: Writer) -> None:
    store = written(EXAMPLE)
    config = store.save_role("overseer", "m", ["http://a", "http://a:11434/", "b"])
    assert len(config.role("overseer").endpoints) == 2
    assert config.warnings == ()


def test_a_list_beside_a_single_endpoint_is_settled(written: Writer) -> None:
    store = written(
        "ollama: {models: {overseer: {model: m, endpoint: 'a:1', endpoints: ['b:1']}}}  # c\n"
    )
    assert store.warnings
    store.save_role("overseer", "m", ["b:1", "c:1"])
    assert store.warnings == ()
    assert store.path.read_text("utf-8").endswith("  # c\n")


def test_bad_values_are_named_by_field_and_change_nothing(written: Writer) -> None:
    store = written(EXAMPLE)
    before = store.current
    with pytest.raises(ConfigError) as caught:
        store.save_role("generator", " ", ["http://ok:1", "http://a b", "", "x://y"])
    assert [(problem.path, problem.line) for problem in caught.value.problems] == [
        ("ollama.models.generator.model", 0),
        ("ollama.models.generator.endpoints[1]", 0),
        ("ollama.models.generator.endpoints[2]", 0),
        ("ollama.models.generator.endpoints[3]", 0),
    ]
    with pytest.raises(BadInput, match="overseer"):
        store.save_role("oversear", "m", [])
    assert store.path.read_text("utf-8") == EXAMPLE
    assert store.current is before


def test_a_file_that_was_broken_meanwhile_is_left_alone(written: Writer) -> None:
    store = written(EXAMPLE)
    before = store.current
    broken = EXAMPLE.replace("max_tokens: 1_024", "max_tokens: lots")
    store.path.write_text(broken, "utf-8")
    with pytest.raises(ConfigError, match=r"Not saved.*\n?.*line 28, run\.max_tokens"):
        store.save_role("overseer", "llama4", [])
    assert store.path.read_text("utf-8") == broken
    with pytest.raises(ConfigError, match=r"run\.max_tokens"):
        store.reload()
    assert store.current is before
    store.path.unlink()
    with pytest.raises(ConfigError, match="no such file"):
        store.save_role("overseer", "llama4", [])


def test_good_edits_on_disk_are_kept_and_taken_up(written: Writer) -> None:
    store = written(EXAMPLE)
    store.path.write_text(EXAMPLE.replace("1_024", "2048"), "utf-8")
    assert store.current.run.max_tokens == 1024  # nothing is picked up by itself
    assert store.save_role("overseer", "llama4", []).run.max_tokens == 2048
    store.path.write_text(EXAMPLE, "utf-8")
    assert store.reload().role("overseer").model == "llama3"
    assert store.current.run.max_tokens == 1024


def test_the_whole_document_round_trips(written: Writer) -> None:
    store = written(EXAMPLE)
    document = store.document()
    assert document["ollama"]["models"]["overseer"] == {"model": "llama3", "endpoint": None}
    store.save_document(document)
    assert store.path.read_text("utf-8") == EXAMPLE
    document["run"] = {"max_tokens": 1024, "attempts": 0}
    document["embedded"] = "off"
    document["ollama"]["num_ctx"] = {"default": 4096, "qwen2.5-coder:14b": 16384}
    del document["ollama"]["models"]["escalation"]
    config = store.save_document(document)
    assert store.document() == document
    assert (config.run.attempts, config.embedded) == (0, "off")
    assert config.context_size("qwen2.5-coder:14b") == 16384
    assert config.inherited["escalation"] == "generator"
    text = store.path.read_text("utf-8")
    assert comment_lines(text) == comment_lines(EXAMPLE)
    assert "  max_tokens: 1_024\n" in text


def test_a_bad_document_is_refused_with_its_paths(written: Writer) -> None:
    store = written(EXAMPLE)
    document = store.document()
    document["run"]["attemps"] = 1
    document["ollama"]["models"]["generator"]["endpoints"][1]["url"] = "http://u:p@x"
    with pytest.raises(ConfigError) as caught:
        store.save_document(document)
    assert [problem.path for problem in caught.value.problems] == [
        "ollama.models.generator.endpoints[1].url",
        "run.attemps",
    ]
    for no_document in ([], "x", None, {}, {1: 2}, {"ollama": object()}):
        with pytest.raises(ConfigError):
            store.save_document(no_document)  # type: ignore[arg-type]  # what JSON may hold
    assert store.path.read_text("utf-8") == EXAMPLE


def test_the_shipped_file_survives_every_role(written: Writer) -> None:
    original = SHIPPED.read_text("utf-8")
    store = written(original)
    for role in store.current.models:
        store.save_role(role, "x", ["http://a:1", "http://b:1"])
    store.save_document({**store.document(), "server": {"port": 0}})
    assert comment_lines(store.path.read_text("utf-8")) == comment_lines(original)
    assert store.current.port == 0


def test_line_ends_byte_order_mark_and_indentation_stay(written: Writer) -> None:
    text = "\ufeffollama:\r\n    models:\r\n        overseer:\r\n            model: a  # c\r\n"
    store = written(text)
    store.save_role("overseer", "b", [])
    raw = store.path.read_bytes().decode()
    assert raw == text.replace("a  #", '"b"  #')


ODD = """\
--- # start
ollama: {
  # first
  base_url: "http://a:1",  # second
  models: { # third
     overseer: {model: "m",
        endpoints: [  # fourth
          "http://x:1", # fifth
          # sixth
          {
            # seventh
            url: "http://y:1"  # seven and a half
          }
        ] # eighth
     }, "generator" : m#1
  }
} # ninth
# tenth
"""

BLOCK = """\
ollama:
  models:
    generator:
      model: >-   # one
        m

      # two
      endpoints:
      -
        # three
        url: http://x:1  # four
        # five
        kind: openai
      -   http://z:1
      # six
    ? overseer
    # seven
    : "a\\
      #b"  # eight
"""


@pytest.mark.parametrize("text", [ODD, BLOCK])
def test_odd_layouts_keep_their_comments_too(written: Writer, text: str) -> None:
    store = written(text)
    store.save_role("generator", "new", ["http://new:1", "http://x:1"])
    store.save_role("overseer", "new", ["http://y:1"])
    store.save_role("triage", "new", [])
    assert comment_lines(store.path.read_text("utf-8")) == comment_lines(text)
    assert store.current.role("generator").model == "new"


def test_what_the_two_yaml_libraries_read_differently_is_refused(written: Writer) -> None:
    text = "ollama:\n  num_ctx: {0o17: 8192}\n  models:\n    overseer: m\n"
    store = written(text)
    with pytest.raises(ConfigError, match="by hand"):
        store.save_document({"ollama": {"num_ctx": {"0o17": 512}, "models": {"overseer": "m"}}})
    assert store.path.read_text("utf-8") == text


def test_permissions_and_symbolic_links_stay(tmp_path: Path) -> None:
    target = tmp_path / "real" / "my.yaml"
    target.parent.mkdir()
    target.write_text(EXAMPLE, "utf-8")
    target.chmod(0o640)
    link = tmp_path / "config.yaml"
    link.symlink_to(target)
    ConfigStore(link).save_role("overseer", "llama4", [])
    assert link.is_symlink()
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert load(target).role("overseer").model == "llama4"
    assert sorted(path.name for path in target.parent.iterdir()) == ["my.yaml"]


def test_a_full_disk_leaves_file_and_snapshot(
    written: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = written(EXAMPLE)
    before = store.current

    def no_space(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(StorageError, match=r"No space left.*unchanged"):
        store.save_role("overseer", "llama4", [])
    assert store.path.read_text("utf-8") == EXAMPLE
    assert store.current is before
    assert [path.name for path in store.path.parent.iterdir()] == ["config.yaml"]


def test_saves_at_the_same_time_lose_nothing(written: Writer) -> None:
    first = written(EXAMPLE)
    second = ConfigStore(first.path)
    roles = ("overseer", "generator", "evaluator", "triage", "escalation")
    seen: list[str] = []

    def save(store: ConfigStore, role: str) -> None:
        for number in range(3):
            store.save_role(role, f"{role}-{number}", [f"http://{role}:{number + 1}"])
        seen.append(role)

    threads = [
        threading.Thread(target=save, args=((first, second)[index % 2], role))
        for index, role in enumerate(roles)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert sorted(seen) == sorted(roles)
    config = first.reload()
    assert {role: config.models[role].model for role in config.models} == {
        role: f"{role}-2" for role in roles
    }
    assert comment_lines(first.path.read_text("utf-8")) == comment_lines(EXAMPLE)
