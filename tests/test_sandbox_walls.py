"""What generated code can't do, each with a control that shows the attack working outside."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from core.cancel import Cancel
from core.errors import Cancelled, SandboxError
from core.events import Case
from core.sandbox import Execution, Limits, Sandbox
from core.sandbox.model import MIB

# For what must run into the time limit, and for what must be stopped by another one first.
SHORT = Limits(wall_s=2.5, case_s=0.8)
LONG = Limits(
    wall_s=20, case_s=15, memory_bytes=128 * MIB, output_bytes=100_000, processes=32, cpu_s=15
)

# The rungs that need bubblewrap.
BUBBLEWRAP = ("1", "1b", "2", "2b")


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    return Sandbox(SHORT)


@pytest.fixture(scope="module")
def patient() -> Sandbox:
    return Sandbox(LONG)


@pytest.fixture
def marker() -> str:
    """A process name that nobody else has, to find survivors by."""
    return f"t{secrets.token_hex(6)}"


def run(sandbox: Sandbox, code: str, *sources: str) -> Execution:
    cases = [
        Case(id=f"c{number}", source=source, origin="generated")
        for number, source in enumerate(sources, 1)
    ]
    return sandbox.run(code, cases, cancel=Cancel())


def marked(marker: str) -> str:
    return f"import ctypes\nctypes.CDLL(None).prctl(15, b'{marker}')\n"


def living(marker: str) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (path / "comm").read_text().strip() == marker:
                found.append(int(path.name))
    return found


def open_descriptors() -> set[str]:
    found = set()
    for path in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # the one that this listing itself uses
            found.add(f"{path.name} {path.readlink()}")
    return found


def wait_until(condition: object, timeout_s: float = 10.0) -> float:
    """Seconds until `condition()` held."""
    assert callable(condition)
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < timeout_s, "it never happened"
        time.sleep(0.01)  # other processes' doings: there is nothing to be woken by
    return time.monotonic() - started


def test_rung_is_safe_and_found_by_attacks(sandbox: Sandbox) -> None:
    rung = sandbox.rung
    assert rung.safe, rung
    assert rung.number in ("1", "1b", "2", "2b", "3")
    assert rung is sandbox.rung


def test_no_network(patient: Sandbox) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        attack = f"import socket\nsocket.create_connection(('127.0.0.1', {port}), 1).close()"
        exec(attack)  # the control
        server.accept()[0].close()
        execution = run(patient, "", attack, "import socket\nsocket.socket(40, 1)")
        server.setblocking(False)
        with pytest.raises(BlockingIOError):
            server.accept()
    assert "ConnectionRefusedError" in execution.cases[0].message
    assert "Address family not supported" in execution.cases[1].message


def test_no_host_file_can_be_read_or_written(patient: Sandbox, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("do not tell")
    read = f"with open({str(secret)!r}) as file: print(file.read())"
    exec(read)  # the control
    execution = run(
        patient,
        "",
        read,
        f"open({str(tmp_path / 'new')!r}, 'w')",
        "open('/etc/passwd')",
        "open('/usr/new', 'w')",
        "open('/opt/sources/solution.py', 'w')",
    )
    assert [case.result for case in execution.cases] == ["error"] * 5
    assert "do not tell" not in execution.stdout + execution.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]


def test_scratch_is_bounded() -> None:
    sandbox = Sandbox(Limits(scratch_bytes=4 * MIB))
    fill = "for n in range(9):\n    open(f'/{0}/x{{n}}', 'wb').write(bytes(1 << 20))"
    execution = run(sandbox, "", fill.format("tmp"), fill.format("job"))
    assert ["No space left" in case.message for case in execution.cases] == [True, True]


def test_environment_and_descriptors_are_clean(
    patient: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("API_KEY", "planted-secret")
    show = "import os\nprint(dict(os.environ))"
    control = subprocess.run([sys.executable, "-c", show], capture_output=True, text=True)
    assert "planted-secret" in control.stdout
    file = (tmp_path / "open").open("w")
    os.set_inheritable(file.fileno(), True)
    with file:
        execution = run(
            patient,
            "import os, stat\n"
            "def show():\n    print(dict(os.environ))\n"
            "def look():\n    assert not os.path.exists('/proc') or not os.listdir('/proc')\n"
            "def kinds():\n    found = []\n    for fd in range(3, 256):\n"
            "        try: mode = os.fstat(fd).st_mode\n        except OSError: continue\n"
            "        found.append((stat.S_ISSOCK(mode), stat.S_ISFIFO(mode)))\n"
            "    return sorted(found)\n",
            "show()",
            "look()",
            # Only the channel to the case, and the pipe for the stack of what hangs.
            "assert kinds() == [(False, True), (True, False)]",
        )
    assert "planted-secret" not in execution.stdout + execution.stderr
    assert [case.result for case in execution.cases] == ["passed", "passed", "passed"]


def test_case_timeout_leaves_the_others(sandbox: Sandbox) -> None:
    code = "import time\ndef f(x):\n    time.sleep(x)\n    return x"
    execution = run(sandbox, code, "assert f(0) == 0", "f(60)", "assert f(0) == 1")
    assert execution.status == "timeout"
    assert [case.result for case in execution.cases] == ["passed", "timeout", "failed"]
    assert "0.8 s (solution.py line 3: time.sleep(x))" in execution.cases[1].message


def test_wall_limit_keeps_what_was_found_out(sandbox: Sandbox) -> None:
    hang = "import signal, time\nfor n in (1, 2, 15): signal.signal(n, signal.SIG_IGN)\nwhile 1: 9"
    execution = run(sandbox, "", "assert True", *[hang] * 6)
    assert execution.status == "timeout"
    results = [case.result for case in execution.cases]
    assert results[:3] == ["passed", "timeout", "timeout"]
    assert results[-1] == "not_run"
    assert execution.seconds < SHORT.wall_s + 1.5


def test_stopping_the_driver_is_a_timeout() -> None:
    sandbox = Sandbox(Limits(wall_s=1, case_s=1))
    code = "import os, signal\ndef f():\n    os.kill(2, signal.SIGSTOP)\n"
    execution = run(sandbox, code, "f()")
    assert execution.status == "timeout"
    assert execution.cases[0].result == "timeout"


def test_cpu_time_is_bounded() -> None:
    sandbox = Sandbox(Limits(cpu_s=1, case_s=8, wall_s=9))
    execution = run(sandbox, "def f():\n    while True: pass\n", "f()", "while True: pass")
    assert execution.status == "timeout"
    assert ["CPU" in case.message for case in execution.cases] == [True, True]
    assert 0.5 < execution.cpu_s < 3


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_output_flood(patient: Sandbox, stream: str) -> None:
    execution = run(
        patient, "", "assert 1", f"import sys\nwhile 1: sys.{stream}.write('\\0é' * 99)"
    )
    assert execution.status == "output"
    assert [case.result for case in execution.cases] == ["passed", "error"]
    assert len(getattr(execution, stream)) < LONG.output_bytes + 1000
    assert execution.seconds < LONG.wall_s


def test_memory_of_one_process(patient: Sandbox) -> None:
    code = "def f():\n    x = []\n    while True: x.append(bytearray(1 << 20))\n"
    execution = run(patient, code, "f()", "assert True")
    assert execution.status == "memory"
    assert [case.result for case in execution.cases] == ["error", "passed"]
    assert LONG.memory_bytes // 2 < execution.peak_bytes < LONG.memory_bytes * 1.5


def test_memory_of_many_processes_together(patient: Sandbox, marker: str) -> None:
    code = marked(marker) + "import os, time\ndef f():\n"
    code += "    for _ in range(5):\n        if os.fork() == 0:\n"
    code += "            x = bytearray(b'x') * (80 << 20)\n            break\n    time.sleep(60)"
    execution = run(patient, code, "f()")
    assert execution.status == "memory"
    assert living(marker) == []


def test_fork_bomb(sandbox: Sandbox, marker: str) -> None:
    execution = run(sandbox, marked(marker) + "import os", "while True: os.fork()", "assert True")
    assert execution.status in ("timeout", "crash", "failed")
    assert execution.cases[0].result in ("timeout", "error")
    assert living(marker) == []
    assert execution.seconds < SHORT.wall_s + 1.5


def test_daemon_does_not_outlive_its_case(patient: Sandbox, marker: str) -> None:
    daemon = "import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n"
    daemon += "        [os.close(fd) for fd in (0, 1, 2)]\n        time.sleep(60)\n    os._exit(0)"
    execution = run(patient, marked(marker), daemon, "assert True")
    assert execution.status == "passed", execution.message
    assert living(marker) == []


def test_runs_share_nothing(patient: Sandbox) -> None:
    plant = "for d in ('/tmp', '/job', '/dev/shm'): open(d + '/planted', 'w').write('x')"
    look = "import os\nfor d in ('/tmp', '/job', '/dev/shm'): assert 'planted' not in os.listdir(d)"
    assert run(patient, "", plant).status == "passed"
    assert run(patient, "", look).status == "passed"


def test_cancel_within_a_second(marker: str) -> None:
    sandbox = Sandbox(Limits(wall_s=30, case_s=30))
    cancel = Cancel()
    raised: list[float] = []

    def work() -> None:
        case = Case(id="c", source="while True: pass", origin="generated")
        with pytest.raises(Cancelled):
            sandbox.run(marked(marker), [case], cancel=cancel)
        raised.append(time.monotonic())

    thread = threading.Thread(target=work)
    thread.start()
    wait_until(lambda: living(marker))
    asked = time.monotonic()
    cancel.set()
    thread.join(10)
    assert raised
    assert raised[0] - asked < 1.0
    assert living(marker) == []
    with pytest.raises(Cancelled):
        sandbox.run("", [], cancel=cancel)


@pytest.mark.parametrize("bwrap", ["bwrap", "/nowhere/bwrap"])
def test_killed_app_leaves_no_survivor(bwrap: str, marker: str, tmp_path: Path) -> None:
    code = f"""
from core.cancel import Cancel
from core.events import Case
from core.sandbox import Limits, Sandbox
sandbox = Sandbox(Limits(wall_s=30, case_s=30), allow_unsandboxed=True, bwrap={bwrap!r})
case = Case(id="c", source="while True: pass", origin="generated")
sandbox.run({marked(marker)!r}, [case], cancel=Cancel())
"""
    root = Path(__file__).parent.parent
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen([sys.executable, "-c", code], cwd=root, env=environment) as app:
        try:
            wait_until(lambda: living(marker))
        finally:
            app.send_signal(signal.SIGKILL)
    assert wait_until(lambda: not living(marker)) < 2.0
    wait_until(lambda: not list(tmp_path.iterdir()))


def test_without_bubblewrap_nothing_runs() -> None:
    sandbox = Sandbox(SHORT, bwrap="/nowhere/bwrap", only=BUBBLEWRAP)
    assert (sandbox.rung.number, sandbox.rung.safe) == ("5", False)
    assert "install bubblewrap" in sandbox.rung.mend
    with pytest.raises(SandboxError, match="install bubblewrap"):
        run(sandbox, "", "assert True")


def test_broken_bubblewrap_is_no_verdict() -> None:
    # Not below pytest's directories, which parallel runs close to other users.
    with tempfile.TemporaryDirectory() as folder:
        broken = Path(folder, "bwrap")
        broken.write_text(
            "#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n"
        )
        broken.chmod(0o755)
        Path(folder).chmod(0o755)
        sandbox = Sandbox(SHORT, bwrap=str(broken), only=BUBBLEWRAP)
        assert sandbox.rung.number == "5"
        with pytest.raises(SandboxError, match="No permissions to create new namespace"):
            run(sandbox, "", "assert True")


def test_allowed_by_name_it_runs_without_a_sandbox(
    marker: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    sandbox = Sandbox(SHORT, allow_unsandboxed=True, bwrap="/nowhere/bwrap", only=("5",))
    assert (sandbox.rung.name, sandbox.rung.safe) == ("unsandboxed", False)
    assert "install bubblewrap" in sandbox.rung.mend
    assert run(sandbox, "def f(): return 4", "assert f() == 4").status == "passed"
    assert run(sandbox, "def f(): return 5", "assert f() == 4").status == "failed"
    assert run(sandbox, "", "while True: pass").status == "timeout"
    sandbox = Sandbox(LONG, allow_unsandboxed=True, bwrap="/nowhere/bwrap", only=("5",))
    assert run(sandbox, "", "bytearray(1 << 30)").status == "memory"
    assert run(sandbox, "", "while True: print('x' * 999)").status == "output"
    bomb = run(sandbox, marked(marker) + "import os", "while True: os.fork()")
    assert bomb.status in ("memory", "crash", "failed")
    assert living(marker) == []
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_left_open(patient: Sandbox) -> None:
    run(patient, "", "assert True")
    before = open_descriptors()
    for source in ("assert True", "assert False", "import os\nos._exit(0)"):
        run(patient, "", source)
    assert open_descriptors() == before
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    assert [pid for pid in children if "Z" in Path(f"/proc/{pid}/stat").read_text()] == []
