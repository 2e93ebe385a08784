"""config.yaml -> Config: the documented forms, the defaults, and every kind of mistake."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from core.config import Config, ConfigManager, RoleConfig, load, parse
from core.config.parse import OLLAMA, SERVER, TOP
from core.errors import BadInput
from core.events import ROLES

SHIPPED = Path(__file__).parents[1] / "config.yaml"
LOCAL = "http://localhost:11434"

BASIC = """\
ollama:
  base_url: "http://localhost:11434"
  models:
    overseer:
      model: "llama3"
      endpoint: null  # Uses base_url

    generator:
      model: "codellama"
      endpoint: null  # Uses base_url

    escalation:
      model: "qwen2.5-coder:14b"
      endpoint: null  # Uses base_url
"""

ADVANCED = """\
ollama:
  base_url: "http://localhost:11434"
  models:
    overseer:
      model: "llama3"
      endpoint: "http://powerful-cpu:11434"  # Single powerful server

    generator:
      model: "codellama"
      endpoints:  # Multiple endpoints for load balancing
        - "http://localhost:11434"
        - "http://192.168.0.56:11434"
        - "http://gpu-server:11434"

    escalation:
      model: "qwen2.5-coder:14b"
      endpoints:  # Can also load balance escalation
        - "http://localhost:11434"
        - "http://powerful-server:11434"
"""

PRODUCTION = """\
ollama:
  base_url: "http://localhost:11434"  # Fallback

  models:
    # Strategy on powerful CPU
    overseer:
      model: "llama3"
      endpoint: "http://cpu-server:11434"

    # Code generation distributed across GPUs
    generator:
      model: "codellama"
      endpoints:
        - "http://gpu-1:11434"
        - "http://gpu-2:11434"
        - "http://gpu-3:11434"

    # Complex fixes on most powerful server
    escalation:
      model: "qwen2.5-coder:14b"
      endpoint: "http://powerful-gpu:11434"

    # Fast evaluation on local machine
    evaluator:
      model: "llama3"
      endpoint: null  # Local

    # Quick triage on fast machine
    triage:
      model: "tinyllama"
      endpoint: "http://fast-server:11434"
"""

ONE_ROLE = "ollama: {models: {overseer: llama3}}\n"


def table(config: Config) -> dict[str, tuple[str, list[str]]]:
    """{role: (model, urls)} for comparing at a glance."""
    return {
        role: (entry.model, [endpoint.url for endpoint in entry.endpoints])
        for role, entry in config.models.items()
    }


def test_basic_example_uses_base_url_and_the_nearest_given_roles() -> None:
    config = parse(BASIC, "basic")
    assert table(config) == {
        "overseer": ("llama3", [LOCAL]),
        "generator": ("codellama", [LOCAL]),
        "escalation": ("qwen2.5-coder:14b", [LOCAL]),
        "evaluator": ("llama3", [LOCAL]),
        "triage": ("llama3", [LOCAL]),
    }
    assert config.inherited == {"evaluator": "overseer", "triage": "overseer"}
    assert config.warnings == ()


def test_advanced_example_keeps_lists_in_order() -> None:
    found = table(parse(ADVANCED, "advanced"))
    cpu = "http://powerful-cpu:11434"
    assert found["overseer"] == ("llama3", [cpu])
    assert found["generator"] == (
        "codellama",
        [LOCAL, "http://192.168.0.56:11434", "http://gpu-server:11434"],
    )
    assert found["escalation"] == ("qwen2.5-coder:14b", [LOCAL, "http://powerful-server:11434"])
    assert found["evaluator"] == found["triage"] == ("llama3", [cpu])


def test_production_example_gives_each_role_its_own() -> None:
    config = parse(PRODUCTION, "production")
    assert table(config) == {
        "overseer": ("llama3", ["http://cpu-server:11434"]),
        "generator": ("codellama", [f"http://gpu-{number}:11434" for number in (1, 2, 3)]),
        "escalation": ("qwen2.5-coder:14b", ["http://powerful-gpu:11434"]),
        "evaluator": ("llama3", [LOCAL]),
        "triage": ("tinyllama", ["http://fast-server:11434"]),
    }
    assert config.inherited == {}


def test_shipped_file_has_the_five_roles_of_the_specification() -> None:
    assert table(load(SHIPPED)) == {
        "overseer": ("llama3", [LOCAL]),
        "generator": ("codellama", [LOCAL, "http://192.168.0.56:11434"]),
        "evaluator": ("llama3", [LOCAL]),
        "triage": ("tinyllama", [LOCAL]),
        "escalation": ("qwen2.5-coder:14b", [LOCAL]),
    }


def uncommented() -> str:
    """The shipped file with every `#key: default` line made live."""
    return re.sub(r"(?m)^( *)#(?=[a-z_]+:)", r"\1", SHIPPED.read_text("utf-8"))


def test_defaults_in_the_shipped_comments_are_the_real_defaults() -> None:
    assert parse(uncommented(), "config.yaml", path=SHIPPED) == load(SHIPPED)
    default = Config(models={}, data_dir=SHIPPED.parent / ".codeevolver")
    shipped = replace(load(SHIPPED), models={}, path=None)
    assert shipped == default


def test_shipped_file_documents_every_key() -> None:
    document: dict[str, Any] = yaml.safe_load(uncommented())
    assert set(document) == set(TOP)
    assert set(document["ollama"]) == set(OLLAMA)
    assert set(document["server"]) == set(SERVER)
    default = Config(models={})
    for name in ("timeouts", "sandbox", "run"):
        settings = getattr(default, name)
        assert document[name] == json.loads(json.dumps(asdict(settings)))
    lines = SHIPPED.read_text("utf-8").splitlines()
    for number, line in enumerate(lines):
        if re.match(r" *#[a-z_]+:", line):
            assert lines[number - 1].lstrip().startswith("# "), f"{line} is not explained"


@pytest.mark.parametrize(
    ("given", "role", "taken"),
    [
        ("generator", "overseer", "generator"),
        ("generator", "escalation", "generator"),
        ("escalation", "generator", "escalation"),
        ("triage", "generator", "triage"),
        ("overseer", "triage", "overseer"),
    ],
)
def test_a_role_left_out_takes_the_nearest(given: str, role: Any, taken: str) -> None:
    config = parse(f"ollama: {{models: {{{given}: m}}}}", "x")
    assert config.inherited[role] == taken
    assert config.role(role) == config.role(taken)  # type: ignore[arg-type]  # a role's name
    assert set(config.models) == set(ROLES)


@pytest.mark.parametrize(
    ("entry", "urls"),
    [
        ('"llama3"', ["http://base:1"]),
        ("{model: m}", ["http://base:1"]),
        ("{model: m, endpoint: null}", ["http://base:1"]),
        ("{model: m, endpoint: ~}", ["http://base:1"]),
        ("{model: m, endpoints: []}", ["http://base:1"]),
        ("{model: m, endpoints: null, endpoint: 'http://a:1'}", ["http://a:1"]),
        ("{model: m, endpoints: [null, 'http://a:1']}", ["http://base:1", "http://a:1"]),
        ("{model: m, endpoint: {url: 'http://a:1', kind: openai}}", ["http://a:1"]),
        ("{model: m, endpoints: ['http://a:1/', {url: 'b:2'}]}", ["http://a:1", "http://b:2"]),
    ],
)
def test_every_form_of_a_role(entry: str, urls: list[str]) -> None:
    config = parse(f"ollama: {{base_url: 'http://base:1', models: {{overseer: {entry}}}}}", "x")
    assert table(config)["overseer"][1] == urls
    assert config.warnings == ()


def test_kind_comes_from_the_suffix_or_is_written() -> None:
    text = """
ollama:
  base_url: http://gateway:8000/v1
  models:
    overseer: m
    generator: {model: m, endpoints: [{url: "http://x:1", kind: ollama}, "http://y:1/v1"]}
"""
    config = parse(text, "x")
    assert (config.base_url, config.base_kind) == ("http://gateway:8000", "openai")
    assert config.role("overseer").endpoints[0].kind == "openai"
    assert [endpoint.kind for endpoint in config.role("generator").endpoints] == [
        "ollama",
        "openai",
    ]


def test_duplicates_collapse_and_a_list_wins_with_warnings() -> None:
    text = """\
ollama:
  models:
    generator:
      model: m
      endpoint: "http://other:1"
      endpoints:
        - "http://a:11434"
        - "http://a/"
        - "http://b:1"
"""
    config = parse(text, "x")
    assert table(config)["generator"][1] == ["http://a:11434", "http://b:1"]
    assert len(config.warnings) == 2
    assert config.warnings[0].startswith("line 5, ollama.models.generator.endpoint:")
    assert config.warnings[1].startswith("line 8, ollama.models.generator.endpoints[1]:")


def test_context_sizes_by_model() -> None:
    text = "ollama: {num_ctx: {default: 4096, 'a:14b': 16384, lama3: 512}, models: {overseer: a}}"
    config = parse(text, "x")
    sizes = [config.context_size(model) for model in ("a:14b", "b")]
    assert sizes == [16384, 4096]
    assert len(config.warnings) == 2  # neither `a:14b` nor `lama3` is the model of a role
    single = parse("ollama: {num_ctx: 2048, models: {overseer: a}}", "x")
    assert single.context_size("a:latest") == 2048


def test_empty_headings_and_null_mean_the_defaults() -> None:
    headings = "server:\ntimeouts:\nsandbox:\nrun:\n  attempts:\ndata_dir:\nembedded:\n"
    assert parse(ONE_ROLE + headings, "x") == parse(ONE_ROLE, "x")


def test_embedded_off_is_what_yaml_reads_as_false() -> None:
    assert parse(ONE_ROLE + "embedded: off", "x").embedded == "off"
    assert parse(ONE_ROLE + 'embedded: "off"', "x").embedded == "off"
    assert parse(ONE_ROLE + "embedded: auto", "x").embedded == "auto"


def test_directories_count_from_the_file(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(ONE_ROLE + "data_dir: here\nembedded_dir: /models\n", "utf-8")
    config = load(file)
    assert config.data_dir == tmp_path / "here"
    assert config.embedded_dir == Path("/models")
    assert config.path == file


def test_digest_follows_what_shapes_a_run_and_not_where_it_lies(tmp_path: Path) -> None:
    config = parse(BASIC, "x")
    assert re.fullmatch("[0-9a-f]{12}", config.digest)
    elsewhere = parse(BASIC + "server: {port: 1}", "x", path=tmp_path / "c.yaml")
    assert elsewhere.digest == config.digest
    assert parse(BASIC + "run: {attempts: 2}", "x").digest != config.digest
    assert parse(BASIC.replace("llama3", "llama4"), "x").digest != config.digest


def test_windows_line_ends_and_a_byte_order_mark_are_fine() -> None:
    expected = parse(PRODUCTION, "x")
    assert parse("\ufeff" + PRODUCTION.replace("\n", "\r\n"), "x") == expected


def test_manager_answers_by_role_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.yaml").write_text(ADVANCED, "utf-8")
    monkeypatch.chdir(tmp_path)
    manager = ConfigManager("config.yaml")
    monkeypatch.chdir("/")
    assert manager.get_model_endpoints("generator") == [
        LOCAL,
        "http://192.168.0.56:11434",
        "http://gpu-server:11434",
    ]
    assert manager.ollama_url == LOCAL
    assert manager.get_model("escalation") == "qwen2.5-coder:14b"
    assert manager.config.path == tmp_path / "config.yaml"
    assert manager.store.reload() == manager.config
    with pytest.raises(BadInput, match="Did you mean `generator`"):
        manager.get_model("generater")


def test_simple_makes_one_in_code() -> None:
    config = Config.simple("http://a:1/v1", {"generator": ("m", ["b:2", "b:2/"])}, port=0)
    assert (config.base_url, config.base_kind, config.port) == ("http://a:1", "openai", 0)
    assert table(config)["generator"] == ("m", ["http://b:2"])
    assert config.inherited["triage"] == "generator"
    assert isinstance(Config.simple().role("triage"), RoleConfig)
