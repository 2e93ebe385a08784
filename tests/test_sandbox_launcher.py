"""The processes between the app and the code: they may die at any time, and leave nothing."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from core.cancel import Cancel
from core.errors import SandboxError
from core.events import Case
from core.sandbox import Execution, Limits, Sandbox
from core.sandbox.launcher import cgroups, ways
from core.sandbox.launcher.files import remove_tree
from core.sandbox.launcher.processes import children, descendants
from core.sandbox.model import MIB
from tests.attacks.host import unused_uid

ROOT = Path(__file__).parent.parent
LIMITS = Limits(wall_s=15, case_s=10, memory_bytes=128 * MIB, processes=32)
DOUBLE = "def f(x):\n    return x * 2\n"


@pytest.fixture(scope="module", params=["warm", "cold"])
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    with Sandbox(LIMITS, warm=request.param == "warm") as sandbox:
        if request.param == "warm" and not sandbox.rung.warm:
            pytest.skip(f"no zygote here: {sandbox.rung}")
        yield sandbox


@pytest.fixture
def marker() -> str:
    """A process name that nobody else has, to find survivors by."""
    return f"t{secrets.token_hex(6)}"


def case(source: str) -> Case:
    return Case(id="c", source=source, origin="generated")


def run(sandbox: Sandbox, code: str, source: str) -> Execution:
    return sandbox.run(code, [case(source)], cancel=Cancel())


def slow(marker: str, seconds: float) -> str:
    name = f"import ctypes\nctypes.CDLL(None).prctl(15, b'{marker}')\nimport time\n"
    return f"{name}def f(x):\n    time.sleep({seconds})\n    return x * 2\n"


def living(marker: str) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (path / "comm").read_text().strip() == marker:
                found.append(int(path.name))
    return found


def wait_until(condition: Callable[[], object], timeout_s: float = 10.0) -> None:
    give_up = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < give_up, "it never happened"
        time.sleep(0.01)  # other processes' doings: there is nothing to be woken by


def launcher_pid(sandbox: Sandbox) -> int:
    return sandbox._launcher.pid


def zygotes(sandbox: Sandbox) -> list[int]:
    """The zygotes themselves, inside their bubblewraps."""
    found = []
    for pid in descendants(launcher_pid(sandbox)):
        with contextlib.suppress(OSError):
            words = Path(f"/proc/{pid}/cmdline").read_bytes()
            parent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]
            outer = Path(f"/proc/{parent}/exe").readlink().name == "bwrap"
            if b"inside.enter import main as" in words and outer:
                found.append(pid)
    return found


def supervisors(sandbox: Sandbox) -> list[int]:
    """Those that are there, idle ones as well."""
    found = []
    for pid in children(launcher_pid(sandbox)):
        with contextlib.suppress(OSError):
            if b"launcher.main" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(pid)
    return found


def groups_left() -> list[str]:
    """Groups that are ours: of no process that lives."""
    found = cgroups.find(os.getpid())
    folders = set(found.parents.values()) if found else set()
    names = [path.name for folder in folders for path in Path(folder).glob("codeevolver-*-*")]
    return [name for name in names if not Path(f"/proc/{name.split('-')[1]}").exists()]


def killed_during(sandbox: Sandbox, marker: str, victims: Callable[[], list[int]]) -> Execution:
    """The result of an execution in whose first attempt `victims` were killed."""
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(run, sandbox, slow(marker, 1.0), "assert f(2) == 4")
        wait_until(lambda: living(marker))
        for victim in victims():
            os.kill(victim, signal.SIGKILL)
        return future.result(30)


def test_launcher_dies_between_two_executions(sandbox: Sandbox) -> None:
    assert run(sandbox, DOUBLE, "assert f(2) == 4").status == "passed"
    pid = launcher_pid(sandbox)
    os.kill(pid, signal.SIGKILL)
    assert run(sandbox, DOUBLE, "assert f(2) == 4").status == "passed"
    assert launcher_pid(sandbox) not in (0, pid)


def test_launcher_dies_during_an_execution(sandbox: Sandbox, marker: str) -> None:
    execution = killed_during(sandbox, marker, lambda: [launcher_pid(sandbox)])
    assert execution.status == "passed", execution.message
    wait_until(lambda: not living(marker))
    wait_until(lambda: not groups_left())


def test_supervisor_dies_during_an_execution(sandbox: Sandbox, marker: str) -> None:
    execution = killed_during(sandbox, marker, lambda: supervisors(sandbox))
    assert execution.status == "passed", execution.message
    wait_until(lambda: not living(marker))
    wait_until(lambda: not groups_left())


def test_supervisor_dies_between_two_executions(sandbox: Sandbox) -> None:
    for _ in range(2):
        assert run(sandbox, DOUBLE, "assert f(2) == 4").status == "passed"
        for pid in supervisors(sandbox):
            os.kill(pid, signal.SIGKILL)
    assert run(sandbox, DOUBLE, "assert f(2) == 4").status == "passed"
    wait_until(lambda: not groups_left())


def test_supervisor_stays_for_the_next_execution(sandbox: Sandbox) -> None:
    run(sandbox, DOUBLE, "assert f(2) == 4")
    before = supervisors(sandbox)
    for source in ("assert f(2) == 4", "f(1 / 0)", "import os; os.kill(0, 9)"):
        run(sandbox, DOUBLE, source)
    assert before
    assert set(before) <= set(supervisors(sandbox))


@pytest.mark.parametrize("number", ["1", "2", "2b", "3"])
def test_nothing_runs_on_after_the_launcher_was_killed(number: str, marker: str) -> None:
    code = slow(marker, 60).replace("    time.sleep", "    import os; os.fork(); time.sleep")
    with Sandbox(LIMITS, only=(number,)) as sandbox:
        if not sandbox.rung.runs:
            pytest.skip(f"not possible here: {sandbox.rung.lacks}")
        with ThreadPoolExecutor(1) as pool:
            future = pool.submit(run, sandbox, code, "f(1)")
            wait_until(lambda: len(living(marker)) == 2)
            below = descendants(launcher_pid(sandbox))
            sandbox._launcher._closed += 1  # as if it was to be: so it isn't run again
            os.kill(launcher_pid(sandbox), signal.SIGKILL)
            with pytest.raises(SandboxError):
                future.result(10)
        wait_until(lambda: not living(marker))
        wait_until(lambda: not any(Path(f"/proc/{pid}/exe").exists() for pid in below))
    wait_until(lambda: not groups_left())


def test_zygote_dies_between_two_executions(sandbox: Sandbox) -> None:
    run(sandbox, DOUBLE, "assert f(2) == 4")
    if not sandbox._warm:
        assert zygotes(sandbox) == []
        return
    (pid,) = zygotes(sandbox)
    for victim in (pid, os.getpid()):
        if victim == pid:
            os.kill(pid, signal.SIGKILL)
        assert run(sandbox, DOUBLE, "assert f(2) == 4").status == "passed"
    assert zygotes(sandbox) not in ([], [pid])


def test_zygote_dies_during_an_execution(sandbox: Sandbox, marker: str) -> None:
    if not sandbox._warm:
        pytest.skip("there is none")
    run(sandbox, DOUBLE, "assert f(2) == 4")
    execution = killed_during(sandbox, marker, lambda: zygotes(sandbox))
    assert execution.status == "passed", execution.message


def test_each_set_of_modules_has_a_zygote() -> None:
    with Sandbox(LIMITS) as sandbox:
        if not sandbox.rung.warm:
            pytest.skip("no zygote here")
        (first,) = zygotes(sandbox)
        for _ in range(2):
            run(sandbox, "import pytest\n" + DOUBLE, "assert f(2) == 4")
        assert len(zygotes(sandbox)) == 2
        assert first in zygotes(sandbox)


@pytest.fixture
def public() -> Iterator[Path]:
    """A directory that the user whom root becomes can reach."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_every_zygote_failing_still_gives_a_result(public: Path) -> None:
    """A bubblewrap that breaks whenever it is asked for /proc, as only a zygote's is."""
    real = next(p for d in os.get_exec_path() if (p := Path(d) / "bwrap").exists())
    broken = public / "bwrap"
    broken.write_text(
        "#!/bin/sh\n"
        f'if [ "$1" = --help ]; then exec {real} --help; fi\n'
        'if grep -qaz "^--proc$" "/proc/self/fd/$2"; then echo no zygote here >&2; exit 1; fi\n'
        f'exec {real} "$@"\n'
    )
    broken.chmod(0o755)
    with Sandbox(LIMITS, bwrap=str(broken)) as sandbox:
        rung = sandbox.rung
        assert (rung.safe, rung.warm) == (True, False)
        assert any("no zygote here" in lack for lack in rung.lacks), rung
        assert run(sandbox, DOUBLE, "assert f(2) == 4").status == "passed"


def test_app_dies(marker: str, tmp_path: Path) -> None:
    code = f"""
from core.cancel import Cancel
from core.events import Case
from core.sandbox import Limits, Sandbox
sandbox = Sandbox(Limits(wall_s=30, case_s=30))
case = Case(id="c", source="f(1)", origin="generated")
print(sandbox._launcher.pid or sandbox.rung and sandbox._launcher.pid, flush=True)
sandbox.run({slow(marker, 30)!r}, [case], cancel=Cancel())
"""
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    ) as app:
        assert app.stdout is not None
        launcher = int(app.stdout.readline())
        wait_until(lambda: living(marker))
        below = [launcher, *descendants(launcher)]
        app.send_signal(signal.SIGKILL)
    wait_until(lambda: not any(Path(f"/proc/{pid}/exe").exists() for pid in below), 5.0)
    assert living(marker) == []
    assert list(tmp_path.iterdir()) == []
    assert groups_left() == []


def test_eight_at_once_from_threads_that_end(sandbox: Sandbox) -> None:
    results: list[Execution] = []

    def work(number: int) -> None:
        execution = run(sandbox, f"def f(): print({number}); return {number}", f"f() == {number}")
        results.append(execution)

    for _ in range(3):  # whose threads are gone before the next ones begin
        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert [execution.status for execution in results] == ["passed"] * 24
    assert sorted(execution.stdout for execution in results) == sorted(
        f"{number}\n" for number in list(range(8)) * 3
    )


def test_nothing_is_left(sandbox: Sandbox) -> None:
    def open_files(pid: str) -> list[str]:
        found = []
        for path in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                found.append(path.readlink().name.partition(":")[0])
        return sorted(found)

    def zombies() -> list[int]:
        pids = descendants(os.getpid())
        return [pid for pid in pids if ") Z" in Path(f"/proc/{pid}/stat").read_text()]

    run(sandbox, DOUBLE, "assert f(2) == 4")
    launcher = str(launcher_pid(sandbox))
    below = len(zygotes(sandbox)) * 3 + len(supervisors(sandbox))  # each with one that is ready
    wait_until(lambda: len(descendants(int(launcher))) <= below)
    before = open_files("self"), open_files(launcher)
    for source in ("assert True", "assert False", "f(1 / 0)", "import os; os._exit(0)"):
        run(sandbox, DOUBLE, source)
    # The launcher reaps a moment after the answer.
    wait_until(lambda: (open_files("self"), open_files(launcher)) == before)
    wait_until(lambda: not zombies())
    assert groups_left() == []
    mounts = Path("/proc/self/mountinfo").read_text()
    assert "codeevolver" not in mounts


def test_close_ends_everything_and_can_be_undone(marker: str) -> None:
    sandbox = Sandbox(LIMITS)
    run(sandbox, DOUBLE, "assert f(2) == 4")
    below = [launcher_pid(sandbox), *descendants(launcher_pid(sandbox))]
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(run, sandbox, slow(marker, 30), "f(1)")
        wait_until(lambda: living(marker))
        sandbox.close()
        with pytest.raises(SandboxError, match="closed"):
            future.result(10)
    assert living(marker) == []
    wait_until(lambda: not any(Path(f"/proc/{pid}/exe").exists() for pid in below))
    assert run(sandbox, DOUBLE, "assert f(2) == 4").status == "passed"
    sandbox.close()


@pytest.mark.parametrize("number", ["1b", "2", "2b", "3"])
def test_each_rung_that_is_there_tells_right_from_wrong(number: str) -> None:
    with Sandbox(LIMITS, only=(number,)) as sandbox:
        if not sandbox.rung.runs:
            pytest.skip(f"not possible here: {sandbox.rung.lacks}")
        assert sandbox.rung.number == number
        assert run(sandbox, DOUBLE, "assert f(2) == 4").status == "passed"
        assert run(sandbox, DOUBLE, "assert f(2) == 5").status == "failed"
        assert run(sandbox, DOUBLE, "open('/etc/passwd')").cases[0].result == "error"


_DENY_USERNS = """
import ctypes, struct, sys
clone, unshare = {"x86_64": (56, 272), "aarch64": (220, 97)}[sys.argv[1]]
code = [(0x20, 0, 0, 0), (0x15, 3, 0, clone), (0x15, 2, 0, unshare), (0x15, 0, 4, 435),
        (0x06, 0, 0, 0x00050000 | 38), (0x20, 0, 0, 16), (0x45, 0, 1, 0x10000000),
        (0x06, 0, 0, 0x00050000 | 1), (0x06, 0, 0, 0x7FFF0000)]
data = b"".join(struct.pack("=HBBI", *row) for row in code)
text = ctypes.create_string_buffer(data, len(data))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0
program = struct.pack("@HP", len(code), ctypes.addressof(text))
assert libc.prctl(22, 2, program, 0, 0) == 0, ctypes.get_errno()
assert libc.unshare(0x10000000) == -1
from core.cancel import Cancel
from core.events import Case
from core.sandbox import Limits, Sandbox
with Sandbox(Limits()) as sandbox:
    rung = sandbox.rung
    case = Case(id="c", source="assert f(2) == 4", origin="generated")
    status = ""
    if rung.runs:
        status = sandbox.run("def f(x): return x * 2", [case], cancel=Cancel()).status
import json
print(json.dumps([rung.number, rung.safe, status, rung.mend]))
"""


def test_without_user_namespaces_it_lands_on_the_rung_below() -> None:
    if platform.machine() not in ("x86_64", "aarch64"):
        pytest.skip("no filter for this machine")
    answer = subprocess.run(
        [sys.executable, "-c", _DENY_USERNS, platform.machine()],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert answer.returncode == 0, answer.stderr
    number, safe, status, mend = json.loads(answer.stdout)
    expected = "2" if os.geteuid() == 0 else "3"
    if number == "5":
        assert (safe, status) == (False, "")  # a kernel without Landlock, or a container's root
    else:
        assert (number, safe, status) == (expected, True, "passed")
    assert "namespace" in mend


def test_bubblewrap_that_breaks_is_no_verdict(public: Path) -> None:
    broken = public / "bwrap"
    broken.write_text("#!/bin/sh\necho 'bwrap: out of order' >&2\nexit 1\n")
    broken.chmod(0o755)
    with Sandbox(LIMITS, bwrap=str(broken), only=("1", "1b", "2", "2b")) as sandbox:
        assert sandbox.rung.number == "5"
        with pytest.raises(SandboxError, match="out of order"):
            run(sandbox, DOUBLE, "assert f(2) == 4")


@pytest.fixture
def in_cgroup() -> Iterator[Sandbox]:
    with Sandbox(LIMITS, only=("1",)) as sandbox:
        if not sandbox.rung.runs:
            pytest.skip(f"no writable cgroup here: {sandbox.rung.lacks}")
        yield sandbox


TERMINALS = """
import os, time
def f(seconds):
    ours, theirs = os.openpty()
    os.write(theirs, b"secret")
    name = os.ttyname(theirs)
    time.sleep(seconds)
    flags, mode = os.statvfs("/dev/pts").f_flag, os.stat(name).st_mode
    seen = sorted(os.listdir("/dev/pts")), sorted(os.listdir("/dev")), sorted(os.environ.items())
    return name, os.read(ours, 100), seen, flags, mode
"""


def test_terminals_and_environment_are_its_own_warm_as_cold(marker: str) -> None:
    named = slow(marker, 0).partition("def")[0] + TERMINALS
    said = []
    for warm in (True, False):
        with Sandbox(LIMITS, warm=warm) as sandbox, ThreadPoolExecutor(1) as pool:
            if not sandbox.rung.number.startswith("1"):
                pytest.skip("no terminals of its own here")
            beside = pool.submit(run, sandbox, named, "f(1)")
            wait_until(lambda: living(marker))
            execution = run(sandbox, TERMINALS, "print(f(0.2))")
            assert beside.result(20).status == "passed"
            assert execution.status == "passed", execution.message
            said.append(execution.stdout)
    assert said[0] == said[1]
    assert said[0].startswith("('/dev/pts/0', b'secret', (['0', 'ptmx'], ")


THREADS = """
import threading, time
def f():
    for _ in range(300):
        threading.Thread(target=time.sleep, args=(20,), daemon=True).start()
    time.sleep(5)
"""


@pytest.mark.skipif(os.geteuid() == 0, reason="root's executions are counted by the kernel")
def test_threads_are_limited_without_namespaces() -> None:
    with Sandbox(LIMITS, only=("3",)) as sandbox:
        if not sandbox.rung.runs:
            pytest.skip(f"not possible here: {sandbox.rung.lacks}")
        execution = run(sandbox, THREADS, "f()")
        assert "processes" in execution.message, execution


FORKS = """
import os, time
def f():
    for _ in range(200):
        try:
            if os.fork() == 0:
                time.sleep(3)
                os._exit(0)
        except OSError:
            pass
    time.sleep(2)
"""


@pytest.mark.parametrize("number", ["2", "3"])
def test_two_apps_have_different_user_ids(number: str, marker: str) -> None:
    bomb = slow(marker, 0).partition("def")[0] + FORKS
    with (
        Sandbox(LIMITS, only=(number,)) as one,
        Sandbox(LIMITS, only=(number,)) as other,
        ThreadPoolExecutor(1) as pool,
    ):
        if os.geteuid() != 0 or not one.rung.runs:
            pytest.skip(f"not possible here: {one.rung.lacks}")
        beside = pool.submit(run, one, bomb, "f()")
        wait_until(lambda: len(living(marker)) > 20)
        assert run(other, DOUBLE, "assert f(2) == 4").status == "passed"
        beside.result(20)


def test_memory_of_all_processes_is_limited_by_the_kernel(in_cgroup: Sandbox) -> None:
    # Shared memory, which no limit of a process and no watchdog sees.
    code = "import mmap, os\ndef f():\n    kept = []\n    for _ in range(40):\n"
    code += "        kept.append(mmap.mmap(-1, 10 << 20)); kept[-1].write(b'x' * (10 << 20))\n"
    code = code.replace("range(40)", "range(9)")
    code += "        os.fork()\n        if len(kept) > 5: import time; time.sleep(5)\n"
    execution = run(in_cgroup, code, "f()")
    assert execution.status == "memory", execution
    assert run(in_cgroup, DOUBLE, "assert f(2) == 4").status == "passed"
    assert groups_left() == []


def test_processes_are_limited_by_the_kernel(in_cgroup: Sandbox) -> None:
    code = "import os, time\ndef f():\n    n = 0\n    try:\n        while n < 500:\n"
    code += "            if os.fork() == 0: time.sleep(30)\n            n += 1\n"
    code += "    except OSError:\n        pass\n    return n\n"
    execution = run(in_cgroup, code, "assert f() < 40")
    assert execution.status == "passed", execution.message


def test_remove_tree_survives_what_code_can_leave(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("stays")
    folder = tmp_path / "left"
    folder.mkdir()
    inner = os.open(folder, os.O_RDONLY)
    for _ in range(1500):  # deeper than any path may be long, and than recursion goes
        os.mkdir("d", dir_fd=inner)
        next_inner = os.open("d", os.O_RDONLY, dir_fd=inner)
        os.close(inner)
        inner = next_inner
    os.close(inner)
    (folder / "link").symlink_to(tmp_path)
    (folder / "loop").symlink_to("loop")
    (folder / ("n" * 250 + "\n")).write_text("")
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff")).write_text("")
    os.mkfifo(folder / "fifo")
    closed = folder / "closed" / "inner"
    closed.mkdir(parents=True)
    closed.chmod(0)
    closed.parent.chmod(0)
    remove_tree(str(folder))
    assert not folder.exists()
    assert precious.read_text() == "stays"


FORKER = """
import os, signal, sys
from core.sandbox.launcher import ways
if os.getuid() == 0:
    os.setresuid(*[int(sys.argv[1])] * 3)
ways.limit_processes(None, 8)
made = []
try:
    while len(made) < 4000:
        pid = os.fork()
        if pid == 0:
            signal.pause()
        made.append(pid)
except BlockingIOError:
    pass
for pid in made:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
print(len(made))
"""


def test_the_kernel_bounds_a_bomb_without_a_user_of_its_own() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORKER, str(unused_uid(range(64_600)))],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert 8 <= int(done.stdout) <= 8 + 2 * ways.ROOM


CROWDED = """
import os, resource, sys, threading, time
from core.sandbox.inside import init
if os.getuid() == 0:
    os.setresuid(*[int(sys.argv[1])] * 3)
most = resource.getrlimit(resource.RLIMIT_NPROC)[1]

def make_room():
    time.sleep(0.3)
    resource.setrlimit(resource.RLIMIT_NPROC, (most, most))

if sys.argv[2] == "for a moment":
    threading.Thread(target=make_room).start()
resource.setrlimit(resource.RLIMIT_NPROC, (0, most))
init.serve()
"""


# With no job to read the driver complains as soon as it has been started.
@pytest.mark.parametrize(
    ("crowded", "said"), [("for a moment", "JSONDecodeError"), ("for good", "BlockingIOError")]
)
def test_a_start_waits_for_room_among_the_processes_or_says_why(crowded: str, said: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CROWDED, str(unused_uid(range(64_700))), crowded],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert said in done.stderr, done


def test_counting_processes_ends_with_enough() -> None:
    with subprocess.Popen(["sleep", "60"]) as one, subprocess.Popen(["sleep", "60"]) as two:
        assert {one.pid, two.pid} <= set(descendants(os.getpid()))
        assert len(descendants(os.getpid(), 1)) == 1
        one.kill()
        two.kill()
