"""The table of attacks: each works outside, and is stopped every way that code is run."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from attacks.model import Way
from attacks.table import ATTACKS
from attacks.ways import WAYS, Outcome, run_way

from core.cancel import Cancel
from core.errors import SandboxError
from core.events import Case
from core.sandbox import Execution, Limits, Sandbox

ORDINARY = "def echo(value):\n    return value\n"
SAFE = ("1", "1b", "2", "2b")


def test_table_is_complete() -> None:
    numbers = [attack.number for attack in ATTACKS]
    assert len(set(numbers)) == len(numbers)
    assert {str(number) for number in range(1, 39)} <= set(numbers)
    assert sum(number.startswith("u") for number in numbers) >= 15
    for attack in ATTACKS:
        assert attack.control is not None or attack.note, attack.number


@pytest.fixture(scope="module")
def outcomes(request: pytest.FixtureRequest) -> Iterator[dict[str, Future[Outcome]]]:
    """What becomes of every way that is wanted, by its name; they mostly wait, so two at once."""
    wanted: list[Way | None] = [None]
    for item in request.session.items:
        way = item.callspec.params.get("way") if hasattr(item, "callspec") else None
        wanted += [way] if isinstance(way, Way) else []  # other files' tests have ways as well
    with ThreadPoolExecutor(2) as pool:
        yield {way.name if way else "": pool.submit(run_way, way) for way in wanted}


def test_every_attack_works_outside(outcomes: dict[str, Future[Outcome]]) -> None:
    outcome = outcomes[""].result()
    assert outcome.bad() == []
    assert len(outcome.findings) == len(ATTACKS)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_every_attack_is_stopped(way: Way, outcomes: dict[str, Future[Outcome]]) -> None:
    outcome = outcomes[way.name].result()
    assert outcome.rung in way.rungs
    assert outcome.warm == (way.warm and outcome.rung != "5"), outcome.lacks
    assert outcome.bad() == []
    found = {finding.number for finding in outcome.findings}
    if outcome.rung == "5":
        assert found == set()
    else:
        assert {attack.number for attack in ATTACKS if not (way.few and attack.alone)} <= found


def run(sandbox: Sandbox) -> Execution:
    case = Case(id="c", source="assert echo(5) == 5", origin="generated")
    return sandbox.run(ORDINARY, [case], cancel=Cancel())


@pytest.fixture
def folder() -> Iterator[Path]:
    """A directory that the user which root drops to can reach, too."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def script(folder: Path, text: str) -> str:
    path = folder / "bwrap"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize("warm", [False, True])
@pytest.mark.parametrize(
    "text",
    [
        None,
        "exit 0",
        "exit 1",
        "echo 'nothing to see' >&2; kill -9 $$",
        'while [ $# -gt 0 ] && [ "$1" != -- ]; do shift; done; shift; exec "$@"',
    ],
    ids=["missing", "silent", "failing", "dying", "hollow"],
)
def test_missing_or_broken_bubblewrap_is_no_verdict(
    folder: Path, text: str | None, warm: bool
) -> None:
    bwrap = "/nowhere/bwrap" if text is None else script(folder, text)
    with Sandbox(Limits(), bwrap=bwrap, warm=warm, only=SAFE) as sandbox:
        assert not sandbox.rung.safe
        with pytest.raises(SandboxError):
            run(sandbox)


@pytest.mark.parametrize("warm", [False, True])
@pytest.mark.parametrize("end", ["exit 0", "exit 1", "kill -9 $$"])
def test_bubblewrap_that_breaks_later_is_no_verdict(folder: Path, end: str, warm: bool) -> None:
    broken = folder / "broken"
    bwrap = script(folder, f'if [ -e {broken} ]; then {end}; fi; exec bwrap "$@"')
    with Sandbox(Limits(), bwrap=bwrap, warm=warm, only=SAFE) as sandbox:
        if sandbox.rung.number == "5":
            pytest.skip("nothing here contains code")
        assert run(sandbox).status == "passed"
        broken.touch()
        assert sandbox.rung.warm == warm
        if warm:  # what is open already needs no new bubblewrap
            assert run(sandbox).status == "passed"
        else:
            with pytest.raises(SandboxError):
                run(sandbox)
        broken.unlink()
        assert run(sandbox).status == "passed"


@pytest.mark.parametrize("warm", [False, True])
def test_an_execution_outlives_the_thread_that_asked_first(warm: bool) -> None:
    with Sandbox(Limits(), warm=warm) as sandbox:
        first = threading.Thread(target=run, args=(sandbox,))
        first.start()
        first.join()
        assert run(sandbox).status == "passed"


_BOMB = """
import os, time
for _ in range(150):
    try:
        if os.fork() == 0:
            time.sleep(5)
            os._exit(0)
    except OSError:
        pass
time.sleep(1)
"""


@pytest.mark.parametrize("rung", ["1", "1b", "2", "2b", "3"])
def test_two_apps_do_not_starve_each_other(rung: str) -> None:
    with Sandbox(Limits(), only=(rung,)) as one, Sandbox(Limits(), only=(rung,)) as other:
        if other.rung.number == "5":
            pytest.skip(f"there is no rung {rung} here")
        bomb = threading.Thread(target=one.run, args=(_BOMB, ()), kwargs={"cancel": Cancel()})
        bomb.start()
        results = []
        try:
            while bomb.is_alive():
                results.append(run(other).status)
        finally:
            bomb.join()
    assert results
    assert set(results) == {"passed"}


def test_table_tells_where_nothing_contains_an_attack() -> None:
    harmless = ["2", "15", "18"]
    outcome = run_way(Way(name="bare", only=SAFE, walls=False), harmless)
    assert [line.split(":")[0] for line in outcome.bad()] == harmless
