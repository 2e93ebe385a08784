"""What can be said of an endpoint, what is refused, and that no edit loses it or shows a secret."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from core.config import AuthConfig, Config, ConfigStore, EndpointConfig, HeaderConfig, parse
from core.errors import ConfigError

WHOLE = """
ollama:
  base_url: "http://localhost:11434"
  models:
    overseer: "llama3"
    generator:
      model: "codellama"
      strategy: weighted
      endpoints:
        - "http://one:11434"
        - url: "https://gateway/v1"  # the big one
          name: "big"
          weight: 3
          max_inflight: 2
          auth: {type: bearer, env: GATEWAY_KEY}
          headers: {X-Team: "blue", X-Trace: {env: TRACE_ID}}
          verify: true
          ca_file: "our-ca.pem"
          drain: true
          disabled: false
"""


def config_of(endpoint: str, *, strategy: str = "", single: bool = False) -> Config:
    entry = f"endpoint: {endpoint}" if single else f"endpoints: [{endpoint}]"
    more = f", strategy: {strategy}" if strategy else ""
    text = f"ollama: {{models: {{generator: {{model: m, {entry}{more}}}}}}}"
    return parse(text, "config.yaml", path=Path("/etc/app/config.yaml"))


def endpoint_of(endpoint: str, *, single: bool = False) -> EndpointConfig:
    [found] = config_of(endpoint, single=single).role("generator").endpoints
    return found


def test_an_endpoint_may_say_all_that_there_is() -> None:
    role = parse(WHOLE, "config.yaml", path=Path("/etc/app/config.yaml")).role("generator")
    assert role.strategy == "weighted"
    assert role.endpoints == (
        EndpointConfig(url="http://one:11434"),
        EndpointConfig(
            url="https://gateway",
            kind="openai",
            name="big",
            weight=3,
            max_inflight=2,
            auth=AuthConfig(type="bearer", env="GATEWAY_KEY"),
            headers=(
                HeaderConfig(name="X-Team", value="blue"),
                HeaderConfig(name="X-Trace", env="TRACE_ID"),
            ),
            ca_file=Path("/etc/app/our-ca.pem"),
            drain=True,
        ),
    )


@pytest.mark.parametrize("single", [False, True])
def test_the_defaults_are_those_of_a_bare_url(single: bool) -> None:
    assert endpoint_of("{url: 'http://a:1'}", single=single) == endpoint_of("'http://a:1'")
    assert endpoint_of("{url: 'http://a:1', auth: null}") == EndpointConfig(url="http://a:1")
    assert endpoint_of("'http://a:1'").max_inflight == 32
    assert config_of("'http://a:1'").role("generator").strategy == "round_robin"


def test_the_identity_is_the_url_and_the_way_in() -> None:
    plain, one, two = (
        endpoint_of(f"{{url: 'http://a:1'{auth}}}")
        for auth in (
            "",
            ", auth: {env: ONE}",
            ", auth: {type: header, file: /run/key, name: X-Key}",
        )
    )
    assert plain.id == "http://a:1"
    assert one.id == "http://a:1 (bearer $ONE)"
    assert two.id == "http://a:1 (header X-Key /run/key)"
    both = config_of("{url: 'http://a:1', auth: {env: ONE}}, {url: 'a:1/', auth: {env: TWO}}")
    assert len(both.role("generator").endpoints) == 2
    same = config_of("'http://a:1', {url: 'a:1', weight: 2}")
    assert same.role("generator").endpoints == (EndpointConfig(url="http://a:1"),)
    assert "left out" in same.warnings[0]


BAD = {
    "{url: 'http://a:1', wieght: 2}": ("wieght", "unknown key", "Did you mean `weight`?"),
    "{url: 'http://a:1', weight: 0}": ("weight", "out of range", "1 to 1_000"),
    "{url: 'http://a:1', max_inflight: many}": ("max_inflight", "should be", "without quotes"),
    "{url: 'http://a:1', drain: 1}": ("drain", "true or false", ""),
    "{url: 'http://a:1', name: ''}": ("name", "empty", ""),
    "{weight: 2}": ("", "no `url`", "Add `url:`"),
    "{url: 'http://me:hunter2@a:1'}": ("url", "user name or a password", "before `@`"),
    "{url: 'http://a:1/?key=hunter2'}": ("url", "query", "Leave out"),
    "{url: 'http://a:1', auth: hunter2}": ("auth", "should be a mapping", "environment variable"),
    "{url: 'http://a:1', auth: {env: hunter2-live}}": ("auth.env", "should be the name", "{env:"),
    "{url: 'http://a:1', auth: {env: 1234567}}": ("auth.env", "should be the name", "{env:"),
    "{url: 'http://a:1', auth: {type: bearer}}": ("auth", "either `env` or `file`", "{env:"),
    "{url: 'http://a:1', auth: {env: A, file: b}}": ("auth", "either `env` or `file`", ""),
    "{url: 'http://a:1', auth: {type: digest, env: A}}": ("auth.type", "bearer or basic", ""),
    "{url: 'http://a:1', auth: {token: hunter2}}": ("auth.token", "unknown key", "type, env"),
    "{url: 'http://a:1', headers: {Authorization: hunter2}}": (
        "headers.Authorization",
        "looks like a secret",
        "{env: NAME}",
    ),
    "{url: 'http://a:1', headers: {X-A: {value: hunter2}}}": ("headers.X-A.value", "unknown", ""),
    "{url: 'http://a:1', headers: {X-A: 'a\\nb'}}": ("", "", ""),
    "{url: 'http://a:1', headers: {'X A': b}}": ('headers["X A"]', "no name of a header", ""),
    "{url: 'http://a:1', headers: {Content-Length: '3'}}": ("headers.Content-Length", "itself", ""),
    "{url: 'http://a:1', headers: [hunter2]}": ("headers", "should be a mapping", ""),
}


@pytest.mark.parametrize("entry", BAD)
def test_what_is_refused_is_named_with_its_mend_and_never_quoted(entry: str) -> None:
    key, message, mend = BAD[entry]
    if "\\n" in entry:
        entry = entry.replace("'a\\nb'", '"a\\nb"')
        key, message = "headers.X-A", "one line of plain text"
    with pytest.raises(ConfigError) as caught:
        config_of(entry)
    paths = [problem.path for problem in caught.value.problems]
    path = "ollama.models.generator.endpoints[0]" + (f".{key}" if key else "")
    assert path.replace(".headers.[", ".headers[") in paths
    assert message in str(caught.value)
    assert mend in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_an_unknown_strategy_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"generator\.strategy: .*round_robin or weighted"):
        config_of("'http://a:1'", strategy="fastest")


def test_of_no_use_is_a_warning() -> None:
    assert "of no use without https" in config_of("{url: 'http://a:1', verify: false}").warnings[0]


def test_no_secret_is_in_the_configuration(monkeypatch: pytest.MonkeyPatch) -> None:  # scenario 28
    monkeypatch.setenv("GATEWAY_KEY", "hunter2")
    config = parse(WHOLE, "config.yaml")
    shown = repr(config) + str(asdict(config.role("generator"))) + config.digest
    assert "hunter2" not in shown
    assert "GATEWAY_KEY" in shown


def test_how_an_endpoint_is_reached_is_no_part_of_the_digest() -> None:
    bare = config_of("'http://a:1'")
    assert config_of("{url: 'http://a:1', weight: 4, max_inflight: 1}").digest == bare.digest
    assert config_of("'http://b:1'").digest != bare.digest


def saved(tmp_path: Path, text: str, role: str, endpoints: list[str | None]) -> str:
    file = tmp_path / "config.yaml"
    file.write_text(text)
    ConfigStore(file).save_role(role, "new-model", endpoints)
    return file.read_text()


def test_the_settings_page_keeps_what_it_cannot_show(tmp_path: Path) -> None:
    rows: list[str | None] = ["http://two:11434", "https://gateway/v1", "http://one:11434"]
    text = saved(tmp_path, WHOLE, "generator", rows)
    before = WHOLE.partition('        - url: "https')[2]
    assert before.strip() in text
    assert "strategy: weighted" in text
    assert '- "http://two:11434"' in text


def test_a_role_that_took_anothers_entry_keeps_it_when_it_gets_its_own(tmp_path: Path) -> None:
    text = saved(
        tmp_path, WHOLE, "escalation", ["http://one:11434", "https://gateway/v1", "http://x:1"]
    )
    config = parse(text, "config.yaml")
    escalation, generator = config.role("escalation"), config.role("generator")
    assert escalation.endpoints[:2] == generator.endpoints
    assert escalation.endpoints[2].url == "http://x:1"


def test_one_url_with_two_keys_stays_two_endpoints(tmp_path: Path) -> None:
    text = """
ollama:
  models:
    generator:
      model: "m"
      endpoints:
        - {url: "http://a:1", auth: {env: ONE}}
        - {url: "http://a:1", auth: {env: TWO}}
"""
    after = saved(tmp_path, text, "generator", ["http://a:1", "http://a:1", "http://a:1"])
    assert after == text.replace('"m"', '"new-model"')


def test_the_base_url_may_have_a_key_and_null_means_all_of_it(tmp_path: Path) -> None:
    text = """
ollama:
  base_url: {url: "http://a:1", auth: {env: ONE}}
  models:
    generator: "m"
"""
    after = saved(tmp_path, text, "generator", ["http://a:1", "http://b:1"])
    first, second = parse(after, "config.yaml").role("generator").endpoints
    assert (first.auth, second.auth) == (AuthConfig(env="ONE"), None)
    again = saved(tmp_path, after, "generator", ["http://a:1"])
    assert parse(again, "config.yaml").role("generator").endpoints == (first,)
