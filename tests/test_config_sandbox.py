"""The sandbox section: packages, output files, warm starts; and the cap on input files."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.config import parse
from core.errors import ConfigError

ONE_ROLE = "ollama: {models: {overseer: a}}\n"


def sandbox(text: str) -> str:
    return ONE_ROLE + "sandbox:\n" + "".join(f"  {line}\n" for line in text.splitlines())


def refusal(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse(sandbox(text), "config.yaml")
    return caught.value.message


def test_the_defaults() -> None:
    config = parse(ONE_ROLE, "x")
    assert (config.sandbox.files_bytes, config.sandbox.files) == (16 * 1024 * 1024, 100)
    assert (config.sandbox.packages, config.sandbox.warm) == ((), True)
    assert config.run.input_files_bytes == 4 * 1024 * 1024


def test_all_of_it_can_be_set() -> None:
    text = 'packages: ["numpy", "pandas == 2.2.*", "rich[jupyter]>=13,<15"]\nwarm: false\nfiles: 3'
    config = parse(sandbox(text), "x")
    assert config.sandbox.packages == ("numpy", "pandas==2.2.*", "rich[jupyter]>=13,<15")
    assert (config.sandbox.warm, config.sandbox.files) == (False, 3)
    assert parse(sandbox("packages:"), "x").sandbox.packages == ()


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ('"--index-url=http://x"', "an option of pip"),
        ('"-r"', "an option of pip"),
        ('"https://x/y.whl"', "a URL"),
        ('"numpy @ file:///x"', "a URL"),
        ('"git+https://x/y"', "a URL"),
        ('"./numpy"', "a path"),
        ('"/opt/x"', "a path"),
        ('"~/x"', "a path"),
        ('"a\\\\b"', "a path"),
        ('"numpy.whl"', "the name of a file"),
        ('"numpy-1.0.tar.gz"', "the name of a file"),
        ("\"numpy; python_version<'3'\"", "a condition"),
        ('"numpy # c"', "a condition or a comment"),
        ('"numpy pandas"', "no package"),
        ('"numpy=1"', "no package"),
        ('""', "empty"),
        ('"a\\nb"', "control characters"),
        ("7", "should be a package's name"),
        ("null", "should be a package's name"),
        ('"x' + "y" * 200 + '"', "too long"),
    ],
)
def test_what_is_no_package_is_refused_by_its_place(written: str, why: str) -> None:
    message = refusal(f'packages:\n  - "rich"\n  - {written}')
    assert "line 5, sandbox.packages[1]:" in message
    assert why in message
    assert 'Write it like "numpy"' in message


def test_lists_are_lists_without_doubles() -> None:
    assert "sandbox.packages: should be a list of packages" in refusal("packages: numpy")
    message = refusal('packages: ["ruamel.yaml", "Ruamel_YAML>1"]')
    assert "sandbox.packages[1]: the package ruamel-yaml is there twice" in message
    many = ", ".join(f"p{n}" for n in range(51))
    assert "more than 50 packages" in refusal(f"packages: [{many}]")


@pytest.mark.parametrize("line", ["files: 0", "files_bytes: 16 MiB", "warm: 1", "file: 3"])
def test_other_mistakes_are_told_as_ever(line: str) -> None:
    assert f"sandbox.{line.partition(':')[0]}:" in refusal(line)


@given(st.lists(st.text(max_size=12), max_size=3))
def test_nothing_that_pip_could_take_for_more_than_a_name_gets_through(texts: list[str]) -> None:
    try:
        found = parse(sandbox(f"packages: {json.dumps(texts)}"), "x").sandbox.packages
    except ConfigError:
        return
    for requirement in found:
        assert requirement[0].isalnum()
        assert not set("/\\@:;# ") & set(requirement.split("=")[0].split("<")[0])
