"""A run with the built-in models that is broken off at any step of a second opinion."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from builtin_play import PlayedBuiltin
from confirm_runs import ALIKE, BARE_GOAL, GOAL, MORE_GOAL, WRONG_TESTS, odd
from endpoint_helpers import dead_url
from fake_ollama import FakeOllama
from play import GOOD, WRONG, Play, asked, fenced
from test_confirm_doubts import (
    BREAKS,
    LAST_GOAL,
    NEVER,
    NEVER_TOO,
    PART,
    PART_GOAL,
    SOUND,
    SOUND_TOO,
)
from test_replay import Bench, Kept, essence

from core.embedded import LARGE, SMALL
from core.sandbox import Sandbox
from core.steps import Json


@dataclass
class Drafts(Play):
    """Another program where it is asked in other words; the same to the same question."""

    other: str = ALIKE

    def __call__(self, body: dict[str, Any]) -> Any:
        answer = super().__call__(body)
        first = asked(body).startswith("Complete this")
        return answer if first or answer != self.code else fenced(self.other)


@contextmanager
def played(code: str, first: str = GOOD, other: str = ALIKE) -> Iterator[PlayedBuiltin]:
    """The built-in models, the small one with this code and cases of its own."""
    small = Play(code=fenced(code), tests=WRONG_TESTS)
    large = Drafts(code=fenced(first), other=other)
    with (
        FakeOllama([SMALL.name], script=small, ollama=False) as one,
        FakeOllama([LARGE.name], script=large, ollama=False) as other,
    ):
        yield PlayedBuiltin(one.url, other.url)


@pytest.fixture(scope="module")
def builtin() -> Iterator[PlayedBuiltin]:
    with played(odd(7)) as models:
        yield models


def bench(folder: Path, builtin: PlayedBuiltin, sandbox: Sandbox, goal: str = GOAL) -> Bench:
    folder.mkdir()
    return Bench(folder, dead_url(), sandbox, goal=goal, builtin=builtin)


def test_broken_off_anywhere_it_ends_the_same(
    tmp_path: Path, builtin: PlayedBuiltin, sandbox: Sandbox
) -> None:
    opened = bench(tmp_path / "whole", builtin, sandbox)
    recorded: dict[str, Json] = {}
    whole = opened.go(Kept(recorded))
    opened.close()
    assert whole.outcome == "passed"
    assert [one.candidate for one in whole.candidates] == ["c0", "d1", "d2"]
    names = list(recorded)
    assert {"values-c0", "votes-d1", "values-d2"} <= set(names)
    for stop in range(names.index("confirm"), names.index("split") + 3):
        opened = bench(tmp_path / str(stop), builtin, sandbox)
        kept: dict[str, Json] = {}
        assert opened.go(Kept(kept, stop, late=False)).outcome is None
        state = opened.go(Kept(kept))
        opened.close()
        assert essence(state) == essence(whole), names[stop]


def test_broken_off_where_a_program_breaks_off_it_ends_the_same(
    tmp_path: Path, sandbox: Sandbox
) -> None:
    with played(BREAKS, SOUND, SOUND_TOO) as models:
        opened = bench(tmp_path / "whole", models, sandbox, LAST_GOAL)
        recorded: dict[str, Json] = {}
        whole = opened.go(Kept(recorded))
        opened.close()
        assert (whole.outcome, whole.code) == ("passed", SOUND)
        broke = [one.broke for one in whole.candidates]
        for name in ("values-c0", "values-d1", "split"):
            opened = bench(tmp_path / name, models, sandbox, LAST_GOAL)
            kept: dict[str, Json] = {}
            stop = list(recorded).index(name)
            assert opened.go(Kept(kept, stop, late=True)).outcome is None
            state = opened.go(Kept(kept))
            opened.close()
            assert essence(state) == essence(whole), name
            assert [one.broke for one in state.candidates] == broke


@pytest.mark.parametrize(
    ("goal", "code", "drafts", "stops"),
    [
        (MORE_GOAL, GOOD, (WRONG, ALIKE), ("votes-d1", "votes-d2")),
        (PART_GOAL, NEVER, (NEVER_TOO, PART), ("values-d1", "values-d2")),
    ],
    ids=["a single example", "the same for every call"],
)
def test_broken_off_where_a_further_program_is_asked_for_it_ends_the_same(
    tmp_path: Path,
    sandbox: Sandbox,
    goal: str,
    code: str,
    drafts: tuple[str, str],
    stops: tuple[str, str],
) -> None:
    with played(code, *drafts) as models:
        opened = bench(tmp_path / "whole", models, sandbox, goal)
        recorded: dict[str, Json] = {}
        whole = opened.go(Kept(recorded))
        opened.close()
        assert [one.candidate for one in whole.candidates] == ["c0", "d1", "d2"]
        for name in stops:
            opened = bench(tmp_path / name, models, sandbox, goal)
            kept: dict[str, Json] = {}
            stop = list(recorded).index(name)
            assert opened.go(Kept(kept, stop, late=True)).outcome is None
            state = opened.go(Kept(kept))
            opened.close()
            assert essence(state) == essence(whole), name


def test_broken_off_when_no_case_is_left_it_ends_the_same(tmp_path: Path, sandbox: Sandbox) -> None:
    as_wrong_as_the_cases = "def add(a, b):\n    return a + b + 1\n"
    with played(as_wrong_as_the_cases) as models:
        opened = bench(tmp_path / "whole", models, sandbox, BARE_GOAL)
        recorded: dict[str, Json] = {}
        whole = opened.go(Kept(recorded))
        opened.close()
        assert (whole.outcome, whole.counted) == ("failed", ())
        opened = bench(tmp_path / "broken", models, sandbox, BARE_GOAL)
        kept: dict[str, Json] = {}
        stop = list(recorded).index("triage")
        assert opened.go(Kept(kept, stop, late=False)).outcome is None
        state = opened.go(Kept(kept))
        opened.close()
    assert essence(state) == essence(whole)
