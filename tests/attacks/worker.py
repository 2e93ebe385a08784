"""Run the whole table in this process, one way, or the controls, and print the findings as JSON.

python -m tests.attacks.worker '{"name": "cold", ...}' [number ...]
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from core.cancel import Cancel
from core.errors import SandboxError
from core.events import Case
from core.sandbox import Execution, Limits, Sandbox
from core.sandbox.model import MIB

from .controls import control
from .host import Host, header, new_marker
from .model import DID, Attack, Finding, Way
from .table import ATTACKS

# For attacks that must run into the time limit, or into another one; and out of all others' way.
BRIEF = Limits(wall_s=0.6, case_s=0.35, memory_bytes=128 * MIB, scratch_bytes=8 * MIB)
LONG = Limits(wall_s=60, case_s=8, memory_bytes=128 * MIB, scratch_bytes=8 * MIB)
# Beyond the wall limit: to start, and to kill and reap what is left, on a machine that burns with
# other attacks. What takes longer has got away; no test can say how long it takes on an idle one.
_AFTER_S = 10.0
_TOGETHER = 12
_FEW = {"24", "25", "28", "u7", "u29"}  # of those alone, where the way is of few
_HARMLESS = {"2", "13", "15", "17", "18"}
_ORDINARY = "def echo(value):\n    return value\n"
_BEGUN_S = 0.2  # until an attack is at work
_ECHO = Case(id="again", source="assert attack() == ''", origin="generated")
_CASE = Case(id="ordinary", source="assert echo(5) == 5", origin="generated")
# The sources of several attacks, each with a namespace of its own.
_SEVERAL = """
def attack(number):
    space = dict(globals())
    exec(compile(SOURCES[number], f"attack {number}", "exec"), space)
    return space["attack"]()
"""


class Run:
    """The table against a sandbox with short limits and one with long ones."""

    def __init__(self, way: Way, host: Host) -> None:
        self._took_s: dict[str, float] = {}
        self._way = way
        self._host = host
        self._sandboxes = {
            limits: Sandbox(
                limits,
                warm=way.warm,
                only=way.only,
                allow_unsandboxed=not way.walls,
                bwrap="bwrap" if way.walls else "/nowhere/bwrap",
            )
            for limits in (BRIEF, LONG)
        }
        self.rung = self._sandboxes[LONG].rung

    def close(self) -> None:
        for sandbox in self._sandboxes.values():
            sandbox.close()

    def carry_out(self, group: Sequence[Attack]) -> list[Finding]:
        """One execution, what it did to the host, and an ordinary job after it."""
        marker = new_marker()
        sandbox = self._sandboxes[_limits(group[0])]
        started = time.monotonic()
        try:
            if group[0].files:
                found = self._program(sandbox, group[0], marker)
            elif group[0].beside:
                found = self._beside(sandbox, group[0], marker)
            else:
                found = self._cases(sandbox, group, marker)
        except Exception as error:  # whatever comes up to the app is a finding
            found = {a.number: f"the app got {type(error).__name__}: {error}" for a in group}
        took_s = self._took_s.get(marker, time.monotonic() - started)
        late_s = took_s - sandbox.limits.wall_s - _AFTER_S
        harm = self._host.damage(marker)
        if late_s > 0:
            harm.append(f"ended {late_s:.1f} s too late")
        harm += self._afterwards(sandbox)
        return [self._finding(attack, found[attack.number], harm) for attack in group]

    def _afterwards(self, sandbox: Sandbox) -> list[str]:
        """What is wrong with the next ordinary job.

        Short limits may end one that other attacks only slow down, so further ones are begun for
        `_AFTER_S` seconds until one is in time; what is broken stays broken.
        """
        deadline = time.monotonic() + _AFTER_S
        while True:
            try:
                after = sandbox.run(_ORDINARY, [_CASE], cancel=Cancel())
            except SandboxError as error:
                return [f"the next ordinary job: sandbox error: {error.message}"]
            if after.status == "passed":
                return []
            if after.status != "timeout" or time.monotonic() > deadline:
                return [f"the next ordinary job: {after.status}, {after.message}"]

    def _finding(self, attack: Attack, how: str, harm: list[str]) -> Finding:
        """`how` begins with 'stopped' when it was."""
        held = how.startswith("stopped") and not harm
        excuses = [attack.not_on.get(key) for key in self._keys()]
        excuse = next(filter(None, excuses), "")
        outcome = "stopped" if held else "not claimed" if excuse and not harm else "HOLE"
        text = "; ".join([how.removeprefix("stopped: "), *harm])
        if outcome == "not claimed":
            text = f"{excuse}{DID}{text}"
        return Finding(number=attack.number, outcome=outcome, how=text if held else text[:400])

    def _keys(self) -> tuple[str, ...]:
        accounted = not any("memory cgroup" in lack for lack in self.rung.lacks)
        return (
            self.rung.number,
            "warm" if self.rung.warm else "cold",
            "cgroup" if accounted else "no cgroup",
        )

    def _code(self, group: Sequence[Attack], marker: str) -> str:
        code = header(self._host.facts(marker), marker) + _ORDINARY
        if len(group) == 1 and group[0].alone:
            return code + group[0].code
        sources = {attack.number: attack.code for attack in group}
        return f"{code}SOURCES = {sources!r}\n{_SEVERAL}"

    def _cases(self, sandbox: Sandbox, group: Sequence[Attack], marker: str) -> dict[str, str]:
        cases = []
        for attack in group:
            source = "attack()" if attack.alone else f"attack({attack.number!r})"
            cases += [
                Case(id=attack.number, source=f"assert {source} == ''", origin="generated"),
                dataclasses.replace(_CASE, id=f"after {attack.number}"),
            ]
        started = time.monotonic()
        execution = sandbox.run(self._code(group, marker), cases, cancel=Cancel())
        self._took_s[marker] = time.monotonic() - started
        if self._leaked(repr(execution)):
            return {attack.number: "the secret got out" for attack in group}
        return {attack.number: self._how(attack, execution) for attack in group}

    def _how(self, attack: Attack, execution: Execution) -> str:
        results = {result.id: result for result in execution.cases}
        own, after = results[attack.number], results[f"after {attack.number}"]
        said = f"{own.result}, {own.message}"[:300]
        if not attack.alone:
            if after.result != "passed":
                return f"the case after it: {after.result}, {after.message}"[:300]
            return "stopped: nothing managed" if own.result == "passed" else said
        if execution.status not in attack.expect:
            return f"{execution.status}: {execution.message}; {said}"
        returned = own.result == "failed" and "got '" in own.message
        if returned or (own.result == "passed" and "passed" not in attack.expect):
            return f"{execution.status}: {said}"
        ended = execution.status != "passed"
        ending = f"{execution.status} ({execution.message[:70]})"
        return f"stopped: {ending}" if ended else "stopped: nothing managed"

    def _program(self, sandbox: Sandbox, attack: Attack, marker: str) -> dict[str, str]:
        result = sandbox.execute(
            self._code([attack], marker).replace("\nif __name__", "\n\nif __name__"),
            cancel=Cancel(),
        )
        text = repr(result) + "".join(repr(file.data) for file in result.files)
        if self._leaked(text):
            return {attack.number: "the secret got out"}
        if result.status not in attack.expect:
            return {attack.number: f"{result.status}: {result.message}"}
        names = " ".join(file.name for file in result.files)
        bad = [file.name for file in result.files if not file.name.replace("/", "").isprintable()]
        if bad or any(file.name.startswith(("/", "..")) for file in result.files):
            return {attack.number: f"file names that must not get out: {bad or names}"}
        ending = f"{result.status} ({result.message[:70]})" if result.message else result.status
        how = f"stopped: {ending}, collected: {names[:80] or 'nothing'}"
        return {attack.number: f"{how}; refused {len(result.refused)}"}

    def _beside(self, sandbox: Sandbox, attack: Attack, marker: str) -> dict[str, str]:
        code = header(self._host.facts("beside"), new_marker()) + attack.beside
        case = Case(id="beside", source="assert attack() == ''", origin="generated")
        with ThreadPoolExecutor(1) as pool:
            under_way = pool.submit(self._cases, sandbox, [attack], marker)
            time.sleep(_BEGUN_S)
            looks = 0
            while not under_way.done():
                # With time enough: to be slowed down is no harm, to be hit is.
                execution = self._sandboxes[LONG].run(code, [case, _ECHO], cancel=Cancel())
                looks += 1
                if execution.status != "passed":
                    return {attack.number: f"beside it: {execution.status}: {execution.message}"}
            found = under_way.result()
        return {number: f"{how}, seen {looks} times" for number, how in found.items()}

    def _leaked(self, text: str) -> bool:
        return self._host.secret in text


def _limits(attack: Attack) -> Limits:
    brief = "timeout" in attack.expect and "passed" not in attack.expect and not attack.files
    return BRIEF if brief else LONG


def groups(attacks: Sequence[Attack]) -> Iterator[list[Attack]]:
    """Those that share an execution, and after them each that has its own."""
    together = [attack for attack in attacks if not attack.alone]
    for start in range(0, len(together), _TOGETHER):
        yield together[start : start + _TOGETHER]
    # The long ones first, so that they don't run on after all others.
    for attack in sorted(attacks, key=lambda attack: "passed" in attack.expect):
        if attack.alone:
            yield [attack]


def carry_out(way: Way, attacks: Sequence[Attack]) -> dict[str, object]:
    """The findings of one way, with the rung that it landed on."""
    if way.few:
        attacks = [attack for attack in attacks if not attack.alone or attack.number in _FEW]
    if not way.walls and {attack.number for attack in attacks} - _HARMLESS:
        raise ValueError("only harmless attacks may run where nothing contains them")
    with Host(LONG) as host:
        run = Run(way, host)
        rung = {"rung": run.rung.number, "warm": run.rung.warm, "lacks": run.rung.lacks}
        if way.walls and not run.rung.safe:
            run.close()
            return {**rung, "findings": []}
        found: list[Finding] = []
        work = list(groups(attacks))
        if way.threads == 0:
            for group in work:
                with ThreadPoolExecutor(1) as pool:  # its thread ends here
                    found += pool.submit(run.carry_out, group).result()
        else:
            with ThreadPoolExecutor(way.threads) as pool:
                for part in pool.map(run.carry_out, [g for g in work if not g[0].exclusive]):
                    found += part
            for group in work:
                found += run.carry_out(group) if group[0].exclusive else []
        run.close()
        found += [Finding(number="u19", outcome="HOLE", how=how) for how in host.left()]
    return {**rung, "findings": [dataclasses.asdict(finding) for finding in found]}


def main() -> None:
    """The way, or 'controls', is the first argument; numbers of attacks may follow."""
    chosen = [a for a in ATTACKS if len(sys.argv) < 3 or a.number in sys.argv[2:]]
    output = os.dup(1)
    os.dup2(2, 1)  # nothing that an attack prints may come between
    started = time.monotonic()
    if sys.argv[1] == "controls":
        found = [dataclasses.asdict(control(attack)) for attack in chosen]
        result: dict[str, object] = {"rung": "", "warm": False, "lacks": (), "findings": found}
    else:
        words = json.loads(sys.argv[1])
        words = {key: tuple(v) if isinstance(v, list) else v for key, v in words.items()}
        result = carry_out(Way(**words), chosen)
    result["seconds"] = time.monotonic() - started
    os.write(output, json.dumps(result).encode())


if __name__ == "__main__":
    main()
