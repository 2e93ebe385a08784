"""How the sandbox looks at the machine: what it makes of faults, and that nobody waits for it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from core.cancel import Cancel
from core.errors import Cancelled, SandboxError
from core.sandbox import Limits, Sandbox, canaries, ladder, process
from core.sandbox.host import Host
from core.sandbox.launcher import main, supervisor
from core.sandbox.launcher.cgroups import Groups
from core.sandbox.launcher.pool import Pool
from core.sandbox.launcher.processes import used_bytes
from core.sandbox.launcher.zygotes import Zygotes
from core.sandbox.model import BEING_LOOKED_AT, MIB

ROOT = Path(__file__).parent.parent
REAL = next((str(p) for d in os.get_exec_path() if (p := Path(d) / "bwrap").exists()), "")
BUBBLEWRAP = ("1", "1b", "2", "5")
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")


@pytest.fixture
def public() -> Iterator[Path]:
    """A directory that the user whom root becomes can reach."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def script(folder: Path, instead: str) -> str:
    """A bubblewrap that does something else, as long as there is no file "ok" beside it."""
    path = folder / "bwrap"
    path.write_text(
        f'#!/bin/sh\n[ "$1" = --help ] && exec {REAL} --help\n'
        f'[ -e {folder}/ok ] && exec {REAL} "$@"\n{instead}\n'
    )
    path.chmod(0o755)
    return str(path)


def printed(sandbox: Sandbox, code: str) -> str:
    return sandbox.execute(code, cancel=Cancel()).stdout


def test_passing_fault_never_leads_to_running_without_a_sandbox(public: Path) -> None:
    bwrap = script(public, "echo 'bwrap: fork: Resource temporarily unavailable' >&2; exit 1")
    now = [0.0]
    with Sandbox(
        Limits(), bwrap=bwrap, allow_unsandboxed=True, only=BUBBLEWRAP, clock=lambda: now[0]
    ) as sandbox:
        assert not sandbox.rung.runs
        assert "may pass" in sandbox.rung.mend
        with pytest.raises(SandboxError, match="temporarily"):
            printed(sandbox, "print(1)")
        (public / "ok").touch()
        assert not sandbox.look().runs  # it isn't time yet
        now[0] += 31
        rung = sandbox.look()
        if not rung.runs:
            pytest.skip(f"no bubblewrap here: {rung}")
        assert rung.safe
        assert printed(sandbox, "print(1)") == "1\n"


def test_lasting_fault_is_looked_at_again(public: Path) -> None:
    bwrap = script(public, "echo 'bwrap: out of order' >&2; exit 1")
    now = [0.0]
    with Sandbox(
        Limits(), bwrap=bwrap, allow_unsandboxed=True, only=BUBBLEWRAP, clock=lambda: now[0]
    ) as sandbox:
        assert sandbox.rung.name == "unsandboxed"
        (public / "ok").touch()
        assert sandbox.look().name == "unsandboxed"
        now[0] += 31
        if not sandbox.look().safe:
            pytest.skip("no bubblewrap here")
        (public / "ok").unlink()
        now[0] += 3600  # a rung that is as good as any is not looked at again
        assert sandbox.look().safe


def test_hanging_bubblewrap_holds_nobody_up(public: Path) -> None:
    with Sandbox(
        Limits(), bwrap=script(public, "exec sleep 600"), allow_unsandboxed=True, only=BUBBLEWRAP
    ) as sandbox:
        began = time.monotonic()
        sandbox.start_look()
        rung = sandbox.rung
        assert (rung.name, rung.runs, rung.safe) == (BEING_LOOKED_AT, False, False)
        assert sandbox.look(timeout_s=0.2) == rung
        assert time.monotonic() - began < 2
        cancel = Cancel()
        threading.Timer(0.2, cancel.set).start()
        with pytest.raises(Cancelled):
            sandbox.execute("print(1)", cancel=cancel)
        waiting = threading.Thread(target=sandbox.look)
        waiting.start()
        closing = time.monotonic()
        sandbox.close()
        waiting.join(5)
        assert not waiting.is_alive()
        assert time.monotonic() - closing < 4


def test_stuck_launcher_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    with Sandbox(Limits(wall_s=1)) as sandbox:
        if not sandbox.rung.runs:
            pytest.skip("no sandbox here")
        monkeypatch.setattr(process, "_PATIENCE_S", 0.5)
        pid = sandbox._launcher.pid
        os.kill(pid, signal.SIGSTOP)
        with pytest.raises(SandboxError, match="in time"):
            printed(sandbox, "print(1)")
        monkeypatch.undo()
        assert printed(sandbox, "print(1)") == "1\n"
        assert sandbox._launcher.pid != pid


def test_half_a_request_is_not_followed_by_another(monkeypatch: pytest.MonkeyPatch) -> None:
    with Sandbox(Limits()) as sandbox:
        if not sandbox.rung.runs:
            pytest.skip("no sandbox here")
        pid = sandbox._launcher.pid

        def half(control: object, data: bytes, fds: tuple[int, ...]) -> None:
            raise TimeoutError

        with monkeypatch.context() as patched:
            patched.setattr(process, "_request", half)
            with pytest.raises(process.NoAnswer):
                printed(sandbox, "print(1)")
        assert printed(sandbox, "print(1)") == "1\n"
        assert sandbox._launcher.pid != pid


SHARED = """
import mmap, os, time
for _ in range(4):
    if os.fork() == 0:
        kept = mmap.mmap(-1, 80 << 20)
        for at in range(0, 80 << 20, 4096):
            kept[at] = 1
        time.sleep(3)
        os._exit(0)
for _ in range(4):
    os.wait()
"""
FORKED = """
import mmap, os, time
kept = mmap.mmap(-1, 80 << 20)
for at in range(0, 80 << 20, 4096):
    kept[at] = 1
for _ in range(4):
    if os.fork() == 0:
        assert sum(kept[at] for at in range(0, 80 << 20, 4096))
        time.sleep(0.5)
        os._exit(0)
for _ in range(4):
    os.wait()
"""


@pytest.mark.parametrize("warm", [True, False])
def test_shared_memory_counts_once_without_a_cgroup(warm: bool) -> None:
    with Sandbox(Limits(memory_bytes=160 * MIB), only=("1b",), warm=warm) as sandbox:
        if not sandbox.rung.runs:
            pytest.skip(f"not possible here: {sandbox.rung.lacks}")
        assert sandbox.execute(SHARED, cancel=Cancel()).status == "memory"
        forked = sandbox.execute(FORKED, cancel=Cancel())
        assert (forked.status, forked.exit_code) == ("finished", 0), forked


def test_memory_of_the_dead_is_nothing() -> None:
    assert used_bytes([2**22 + 1], 0) == 0
    assert used_bytes([os.getpid()], 1 << 60) > MIB


def test_another_python_than_the_hosts_is_noticed() -> None:
    scope: dict[str, object] = {"VERSION": "3.0"}
    exec(canaries._ATTACKS, scope)
    assert "another Python" in scope["interpreter"]()  # type: ignore[operator]
    scope["VERSION"] = sys.version
    assert scope["interpreter"]() == ""  # type: ignore[operator]


@pytest.mark.parametrize("session", [1, 4000])
def test_low_process_id_is_a_target_without_a_namespace(
    session: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    scope: dict[str, object] = {"PIDS": [7]}
    exec(canaries._ATTACKS, scope)
    monkeypatch.setattr(os, "kill", lambda pid, number: None)
    monkeypatch.setattr(os, "getsid", lambda pid: session)
    assert scope["signals"]() == ("" if session == 1 else "process 7")  # type: ignore[operator]


def test_launcher_is_a_target_at_the_first_look(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[int] = []
    real = canaries.released

    def released(host: Host, pid: int) -> AbstractContextManager[canaries.Canaries]:
        given.append(pid)
        return real(host, pid)

    monkeypatch.setattr(canaries, "released", released)
    with Sandbox(Limits()) as sandbox:
        _ = sandbox.rung
        assert given == [sandbox._launcher.pid]
        assert given[0] > 0


def test_canaries_that_cannot_be_released_are_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(host: object, pid: int) -> None:
        raise OSError("no sockets left")

    monkeypatch.setattr(canaries, "released", refused)
    with Sandbox(Limits(), allow_unsandboxed=True) as sandbox:
        assert not sandbox.rung.runs
        assert "no sockets left" in sandbox.rung.lacks


def test_interpreter_that_does_not_run_is_told_in_a_line(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho first >&2\necho 'broken lib' >&2\nexit 3\n")
    python.chmod(0o755)
    with Sandbox(Limits(), python=str(python), allow_unsandboxed=True) as sandbox:
        (lack,) = sandbox.rung.lacks
        assert not sandbox.rung.runs
        assert lack.endswith("can't be used: exit status 3: broken lib")
        assert "bubblewrap" not in sandbox.rung.mend


def test_advice_is_about_what_is_at_fault() -> None:
    def mend(text: str, way: str) -> str:
        return ladder.mend(ladder.Problem(text=text, way=way), bubblewrap=True)

    assert "bubblewrap" not in mend("no Landlock in this kernel", "landlock")
    assert "TMPDIR" in mend("TMPDIR can't be used: /x is closed to other users", "landlock")
    assert mend("bwrap: broken", "bubblewrap")


@root_only
def test_closed_directory_for_temporary_files_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o700)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with Sandbox(Limits(), only=("3",)) as sandbox:
        assert "Set TMPDIR" in sandbox.rung.mend
        assert re.search("is closed to other users", sandbox.rung.lacks[0])


@root_only
def test_project_below_the_staging_place_can_be_shown() -> None:
    code = "from core.sandbox import Limits, Sandbox\nfor only in ((), ('3',)):\n"
    code += "    with Sandbox(Limits(), only=only) as s: print(s.rung.number, s.rung.lacks)\n"
    answers = []
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        Path(name).chmod(0o755)
        subprocess.run(["cp", "-r", str(ROOT / "core"), name], check=True)
        for place in (str(ROOT), name):
            answers.append(
                subprocess.run(
                    [sys.executable, "-c", code], cwd=place, capture_output=True, check=True
                ).stdout
            )
    assert answers[0] == answers[1]


def test_execution_that_cannot_be_ended_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = {"uid": None, "own_uids": None, "cgroup": False}
    job = supervisor.Job(plan, {}, hangups=(), driver=-1, zygote=())
    one = supervisor.Supervisor(job, Groups(None))
    monkeypatch.setattr(one, "_run", lambda group: ({"outcome": "ended"}, False))
    answer = one.run()
    assert "could not be ended" in answer["error"]
    assert not one.clean


@pytest.mark.parametrize("warm", [True, False])
def test_code_gives_way_to_everything_else(warm: bool) -> None:
    with Sandbox(Limits(), warm=warm) as sandbox:
        if not sandbox.rung.runs:
            pytest.skip("no sandbox here")
        nice = int(printed(sandbox, "import os; print(os.nice(0))"))
        assert nice == min(19, os.nice(0) + 10)


def test_tidying_up_goes_on_while_there_are_orphans(monkeypatch: pytest.MonkeyPatch) -> None:
    left = [[2**22 + 1], [2**22 + 2], []]
    monkeypatch.setattr(main, "children", lambda pid: left.pop(0))
    launcher = main.Launcher.__new__(main.Launcher)
    launcher._pool, launcher._zygotes = Pool(lambda channel: True), Zygotes()
    launcher._cgroups, launcher._untidy = None, 20
    for tries in (19, 18, 0):
        launcher._tidy_up()
        assert launcher._untidy == tries
