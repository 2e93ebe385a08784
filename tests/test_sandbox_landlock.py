"""What a process that Landlock shut in can and can't do; each attack works when it isn't."""

from __future__ import annotations

import base64
import errno
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.sandbox import seccomp
from core.sandbox.inside import landlock

ROOT = Path(__file__).resolve().parent.parent
PYTHON = os.path.realpath(sys.executable)
MACHINE = os.uname().machine
# In the interpreter's own process, before it becomes the one that runs the attack.
SHUT_IN = """
import base64, json, os, sys
job = json.loads(sys.argv[1])
sys.path.insert(0, job["sandbox"])
from inside import landlock
if job["shut_in"]:
    program = base64.b64decode(job["program"])
    landlock.apply({"scratch_bytes": 1 << 20}, job["workdir"], job["readable"], program)
os.chdir(job["workdir"])
os.execve(job["python"], [job["python"], "-I", "-S", "-B", "-c", job["code"], *job["words"]],
          {"TMPDIR": job["workdir"], "LD_LIBRARY_PATH": job["libraries"]})
"""


def why_not() -> str:
    """Why nothing can be shut in here; '' where it can."""
    if sys.platform != "linux":
        return "Landlock is Linux's"
    try:
        landlock.abi()
        seccomp.program(MACHINE)
    except OSError as error:
        return str(error)
    except KeyError:
        return f"no seccomp program for {MACHINE}"
    return ""


pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not() or "-")


def readable() -> list[str]:
    here = [sys.base_prefix, sys.base_exec_prefix, PYTHON, "/lib", "/lib64", "/usr/lib"]
    return [*here, "/usr/lib64", "/nowhere/at/all"]


@pytest.fixture
def workdir(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


def run(
    code: str,
    workdir: Path,
    *words: object,
    shut_in: bool = True,
    strict: bool = True,
    shown: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    job: dict[str, Any] = {
        "sandbox": str(ROOT / "core" / "sandbox"),
        "python": PYTHON,
        "workdir": str(workdir),
        "readable": [*readable(), str(shown or "/nowhere")],
        "program": base64.b64encode(seccomp.program(MACHINE, strict=strict)).decode(),
        "code": code,
        "words": [str(word) for word in words],
        "shut_in": shut_in,
        "libraries": os.environ.get("LD_LIBRARY_PATH", ""),
    }
    return subprocess.run(
        [PYTHON, "-I", "-S", "-B", "-c", SHUT_IN, json.dumps(job)],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
        cwd="/",
    )


def works(code: str, workdir: Path, *words: object, shut_in: bool = True) -> str:
    done = run(code, workdir, *words, shut_in=shut_in)
    assert done.returncode == 0, done.stderr
    return done.stdout


def is_blocked(
    code: str, workdir: Path, *words: object, error: str = "PermissionError", strict: bool = True
) -> None:
    """`code` works outside and fails with `error` when shut in, so what blocks it is the wall."""
    works(code, workdir, *words, shut_in=False)
    done = run(code, workdir, *words, strict=strict)
    assert done.returncode == 1, done
    assert error in done.stderr.splitlines()[-1], done.stderr


@pytest.fixture
def victim() -> Iterator[subprocess.Popen[bytes]]:
    """A process outside, of the same user."""
    with subprocess.Popen([PYTHON, "-c", "import sys; sys.stdin.read()"], stdin=-1) as process:
        yield process
        process.kill()


# Reading


@pytest.mark.parametrize("path", ["/etc/passwd", ROOT / "config.yaml", "/proc/self/environ"])
def test_no_file_outside_is_read(workdir: Path, path: object) -> None:
    is_blocked("import sys; open(sys.argv[1], 'rb').read()", workdir, path)


@pytest.mark.parametrize("path", [Path.home(), "/", "/proc", "/dev/shm", "/tmp", ROOT])
def test_no_directory_outside_is_listed(workdir: Path, path: object) -> None:
    is_blocked("import os, sys; os.listdir(sys.argv[1])", workdir, path)


def test_no_way_round_by_links(workdir: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("do not tell")
    link = "import os, sys; os.symlink(sys.argv[1], 'a'); print(open('a').read()); os.unlink('a')"
    is_blocked(link, workdir, secret)
    for name in ("a", "b"):
        (workdir / name).unlink(missing_ok=True)
    hard = "import os, sys; os.link(sys.argv[1], 'b'); print(open('b').read()); os.unlink('b')"
    is_blocked(hard, workdir, secret, error="Error")
    up = "import sys; print(open('../secret').read())"
    is_blocked(up, workdir)


def test_no_file_is_watched(workdir: Path, tmp_path: Path) -> None:
    watch = (
        "import ctypes, os, sys\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        "fd = libc.inotify_init1(0)\n"
        "if fd < 0 or libc.inotify_add_watch(fd, sys.argv[1].encode(), 0xFFF) < 0:\n"
        "    raise PermissionError(ctypes.get_errno())"
    )
    is_blocked(watch, workdir, tmp_path)


def test_the_standard_library_is_read_and_run(workdir: Path) -> None:
    code = (
        "import asyncio, ctypes, decimal, json, os, random, sqlite3, ssl, zoneinfo\n"
        "assert os.listdir(os.path.dirname(os.__file__))\n"
        "open('/dev/null', 'w').write('x'); os.urandom(4); open('/dev/zero', 'rb').read(1)\n"
        "asyncio.run(asyncio.sleep(0))\n"
        "print(json.dumps(sqlite3.connect('base.db').execute('select 42').fetchone()))"
    )
    assert works(code, workdir) == "[42]\n"


def test_another_program_is_run_only_from_what_is_shown(workdir: Path) -> None:
    again = "import subprocess, sys; subprocess.run([sys.executable, '-ISBc', ''], check=True)"
    works(again, workdir)
    own = (
        "import os, sys\nfd = os.open('own', os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o755)\n"
        "os.write(fd, f'#!{sys.executable} -ISB\\n'.encode()); os.close(fd)\n"
        "assert os.access('own', os.X_OK); os.execv('own', ['own'])"
    )
    is_blocked(own, workdir)


# Writing


def test_nothing_outside_is_written(workdir: Path, tmp_path: Path) -> None:
    there, gone, folder = tmp_path / "there", tmp_path / "gone", tmp_path / "folder"
    folder.mkdir()
    there.write_text("as it was")
    for code, path in (
        ("import sys; open(sys.argv[1], 'r+')", there),
        ("import sys; open(sys.argv[1], 'a')", there),
        ("import os, sys; os.truncate(sys.argv[1], 9)", there),
        ("import os, sys; os.rename(sys.argv[1], sys.argv[1] + '2')\n"
         "os.rename(sys.argv[1] + '2', sys.argv[1])", there),
        ("import os, sys; open(sys.argv[1], 'x'); os.unlink(sys.argv[1])", gone),
        ("import os, sys; os.mkdir(sys.argv[1]); os.rmdir(sys.argv[1])", gone),
        ("import os, sys; os.symlink('/', sys.argv[1]); os.unlink(sys.argv[1])", gone),
        ("import os, sys; os.mkfifo(sys.argv[1]); os.unlink(sys.argv[1])", gone),
        ("import os, sys; os.rmdir(sys.argv[1]); os.mkdir(sys.argv[1])", folder),
    ):  # fmt: skip
        is_blocked(code, workdir, path)
    assert there.read_text() == "as it was"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "there", "work"]


def test_what_is_shown_is_not_written(workdir: Path, tmp_path: Path) -> None:
    shown = tmp_path / "shown"
    shown.mkdir()
    (shown / "there").write_text("as it was")
    for act in ("open('there', 'r+')", "os.truncate('there', 0)", "open('new', 'x')"):
        code = f"import os, sys; os.chdir(sys.argv[1]); os.listdir(); open('there').read(); {act}"
        done = run(code, workdir, shown, shown=shown)
        assert "PermissionError" in done.stderr.splitlines()[-1], act
        assert [path.read_text() for path in shown.iterdir()] == ["as it was"]
        works(code, workdir, shown, shut_in=False)
        (shown / "new").unlink(missing_ok=True)
        (shown / "there").write_text("as it was")


def test_no_file_is_moved_out(workdir: Path, tmp_path: Path) -> None:
    code = "import os, sys; open('x', 'w'); os.replace('x', sys.argv[1])"
    is_blocked(code, workdir, tmp_path / "out", error="Error")


def test_files_in_the_working_directory(workdir: Path) -> None:
    code = (
        "import os, pathlib, shutil, tempfile\n"
        "os.makedirs('a/b'); pathlib.Path('a/one').write_text('1'); os.symlink('a/one', 'link')\n"
        "assert open('link').read() == '1'\n"
        "os.rename('a/one', 'a/b/two'); os.link('a/b/two', 'three'); os.truncate('three', 0)\n"
        "shutil.copy('three', 'four'); shutil.copy2('four', 'five'); shutil.copytree('a', 'c')\n"
        "pathlib.Path('five').touch(); pathlib.Path('five').touch()\n"
        "with tempfile.TemporaryDirectory() as folder: open(folder + '/x', 'w').close()\n"
        "tempfile.TemporaryFile().write(b'x')\n"
        "shutil.rmtree('a'); print(sorted(os.listdir('.')))"
    )
    expected = works(code, workdir, shut_in=False)
    for path in workdir.iterdir():
        subprocess.run(["rm", "-r", str(path)], check=True)
    assert works(code, workdir) == expected == "['c', 'five', 'four', 'link', 'three']\n"


def test_no_special_file_in_the_working_directory(workdir: Path) -> None:
    is_blocked("import os; os.mkfifo('fifo'); os.unlink('fifo')", workdir)
    bind = "import socket, os; socket.socket(socket.AF_UNIX).bind('s'); os.unlink('s')"
    is_blocked(bind, workdir)
    is_blocked(bind, workdir, strict=False)


def test_files_have_a_largest_size(workdir: Path) -> None:
    code = "import signal; signal.signal(25, signal.SIG_IGN); open('x', 'wb').write(bytes(2 << 20))"
    is_blocked(code, workdir, error="OSError: [Errno 27]")
    assert (workdir / "x").stat().st_size == 1 << 20


CHANGES = {
    "chmod": "os.chmod(path, 0o777)",
    "fchmod": "os.chmod(os.open(path, os.O_RDONLY), 0o777)",
    "fchmodat": "os.chmod('shown', 0o777, dir_fd=os.open(os.path.dirname(path), os.O_PATH))",
    "utime": "os.utime(path, (1, 1))",
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_modes_and_times_outside_stay(workdir: Path, tmp_path: Path, change: str) -> None:
    shown = tmp_path / "shown"
    code = f"import os, sys\npath = sys.argv[1]\n{change}"

    def facts(shut_in: bool) -> tuple[int, int]:
        shown.unlink(missing_ok=True)
        shown.write_text("text")
        shown.chmod(0o600)
        os.utime(shown, (1000, 1000))
        # It may be read, and so opened: a library of the same user's is such a file.
        done = run(code, workdir, shown, shut_in=shut_in, shown=shown)
        assert done.returncode == 0, done.stderr
        found = shown.stat()
        return found.st_mode & 0o7777, int(found.st_mtime)

    before = (0o600, 1000)
    assert facts(shut_in=False) != before
    assert facts(shut_in=True) == before


def test_owners_outside_stay(workdir: Path, tmp_path: Path) -> None:
    code = "import os, sys; os.chown(sys.argv[1], os.getuid(), os.getgid())"
    is_blocked(code, workdir, tmp_path)


def test_attributes_outside_stay(workdir: Path, tmp_path: Path) -> None:
    code = "import os, sys; os.{}(sys.argv[1], 'user.x'{})"
    if run(code.format("setxattr", ", b'1'"), workdir, tmp_path, shut_in=False).returncode:
        pytest.skip("the file system of the temporary directory has no extended attributes")
    for act in (code.format("getxattr", ""), code.format("setxattr", ", b'2'")):
        is_blocked(act, workdir, tmp_path, error="Operation not supported")
    assert run(code.format("removexattr", ""), workdir, tmp_path).returncode == 1
    works(code.format("removexattr", ""), workdir, tmp_path, shut_in=False)


# The network and sockets


@pytest.mark.parametrize("strict", [True, False], ids=["strict", "landlock alone"])
def test_no_connection(workdir: Path, tmp_path: Path, strict: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        code = "import socket, sys; socket.create_connection(('127.0.0.1', int(sys.argv[1])), 2)"
        is_blocked(code, workdir, port, strict=strict)
        server.accept()[0].close()  # the control's
        server.setblocking(False)
        with pytest.raises(BlockingIOError):
            server.accept()
    is_blocked("import socket; socket.create_server(('127.0.0.1', 0))", workdir, strict=strict)


@pytest.mark.parametrize("strict", [True, False], ids=["strict", "landlock alone"])
def test_no_abstract_socket_outside(workdir: Path, strict: bool) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(b"\0" + os.urandom(8).hex().encode())
        server.listen()
        name = server.getsockname()[1:].decode()
        code = "import socket, sys; socket.socket(socket.AF_UNIX).connect('\\0' + sys.argv[1])"
        is_blocked(code, workdir, name, strict=strict)


def test_no_path_socket_outside(workdir: Path, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "stream"))
        server.listen()
        code = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"
        is_blocked(code, workdir, tmp_path / "stream")


SENDS = {
    "sendto": "pair[0].sendto(b'x', sys.argv[1])",
    "sendmsg": "pair[0].sendmsg([b'x'], [], 0, sys.argv[1])",
}


@pytest.mark.parametrize("send", SENDS.values(), ids=SENDS)
@pytest.mark.parametrize("kind", ["SOCK_DGRAM", "SOCK_RAW", "SOCK_STREAM", "SOCK_SEQPACKET"])
def test_no_datagram_to_a_path_socket(workdir: Path, tmp_path: Path, send: str, kind: str) -> None:
    code = f"import socket, sys; pair = socket.socketpair(socket.AF_UNIX, socket.{kind})\n{send}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(str(tmp_path / "datagram"))
        server.setblocking(False)
        if kind in ("SOCK_DGRAM", "SOCK_RAW"):
            is_blocked(code, workdir, tmp_path / "datagram")
            assert server.recv(9) == b"x"  # the control's
        else:
            run(code, workdir, tmp_path / "datagram")
        with pytest.raises(BlockingIOError):
            server.recv(9)


@pytest.mark.parametrize("kind", ["SOCK_STREAM", "SOCK_SEQPACKET"])
def test_pairs_of_sockets_carry_descriptors(workdir: Path, kind: str) -> None:
    code = (
        f"import os, socket\na, b = socket.socketpair(socket.AF_UNIX, socket.{kind})\n"
        "reader, writer = os.pipe()\n"
        "if os.fork() == 0:\n"
        "    socket.send_fds(a, [b'x'], [writer]); os._exit(0)\n"
        "data, fds, _, _ = socket.recv_fds(b, 9, 1)\n"
        "os.write(fds[0], b'through'); print(data, os.read(reader, 9)); a.send(b'y'); a.recv"
    )
    assert works(code, workdir) == "b'x' b'through'\n"


# Other processes


def test_no_signal_to_a_process_outside(workdir: Path, victim: subprocess.Popen[bytes]) -> None:
    code = "import os, sys; os.kill(int(sys.argv[1]), int(sys.argv[2]))"
    for number in (0, signal.SIGCONT):
        is_blocked(code, workdir, victim.pid, int(number))
        is_blocked(code, workdir, victim.pid, int(number), strict=False)
    for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGSTOP):
        assert run(code, workdir, victim.pid, int(number)).returncode == 1
    pidfd = "import os, signal, sys; signal.pidfd_send_signal(os.pidfd_open(int(sys.argv[1])), 0)"
    is_blocked(pidfd, workdir, victim.pid)
    assert victim.poll() is None
    works(code, workdir, victim.pid, int(signal.SIGTERM), shut_in=False)  # the control
    assert victim.wait(10) == -signal.SIGTERM


OTHERS = {
    "prlimit": "import resource as r; r.prlimit(pid, r.RLIMIT_CORE, (0, 0))",
    "nice": "os.setpriority(os.PRIO_PROCESS, pid, 5)",
    "affinity": "os.sched_setaffinity(pid, os.sched_getaffinity(pid))",
    "scheduler": "os.sched_setscheduler(pid, os.SCHED_OTHER, os.sched_param(0))",
    "ptrace": (
        "import ctypes\nchild = os.fork()\n"
        "if child == 0: os._exit(1 if ctypes.CDLL(None).ptrace(0, 0, 0, 0) else 0)\n"
        "if os.waitpid(child, 0)[1]: raise PermissionError"
    ),
}


@pytest.mark.parametrize("act", OTHERS.values(), ids=OTHERS)
def test_processes_outside_are_left_alone(
    workdir: Path, victim: subprocess.Popen[bytes], act: str
) -> None:
    is_blocked(f"import os, sys\npid = int(sys.argv[1])\n{act}", workdir, victim.pid)


def test_own_limits_and_priority_can_be_changed(workdir: Path) -> None:
    code = (
        "import os, resource\nos.nice(1); os.sched_setaffinity(0, os.sched_getaffinity(0))\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (50, 50)); os.setpgid(0, 0)\n"
        "if os.fork() == 0: os.setsid(); os._exit(0)\n"
        "assert os.wait()[1] == 0"
    )
    works(code, workdir)


def test_threads_and_forks_work(workdir: Path) -> None:
    code = (
        "import multiprocessing, threading\n"
        "from concurrent.futures import ThreadPoolExecutor\n"
        "if __name__ == '__main__':\n"
        "    context = multiprocessing.get_context('fork')\n"
        "    a, b = context.Pipe()\n"
        "    process = context.Process(target=lambda: b.send([1, 2])); process.start()\n"
        "    print(a.recv()); process.join()\n"
        "    with ThreadPoolExecutor(4) as pool: print(sum(pool.map(abs, range(9))))"
    )
    assert works(code, workdir) == "[1, 2]\n36\n"


# The kernel and what is left of root


def test_no_memory_that_nobody_counts(workdir: Path) -> None:
    is_blocked("import os; os.memfd_create('x')", workdir)


def test_no_privilege_is_left(workdir: Path) -> None:
    code = (
        "import ctypes, struct\nlibc = ctypes.CDLL(None)\n"
        "header, sets = struct.pack('=Ii', 0x20080522, 0), ctypes.create_string_buffer(24)\n"
        "assert libc.capget(header, sets) == 0\n"
        "print(sets.raw == bytes(24), libc.prctl(39, 0, 0, 0, 0), libc.prctl(21, 0, 0, 0, 0))"
    )
    assert works(code, workdir) == "True 1 2\n"
    if os.getuid() == 0:
        assert works(code, workdir, shut_in=False).startswith("False 0")
        for act in ("os.setuid(65534)", "os.setgroups([])", "os.chroot('.')", "os.nice(-1)"):
            is_blocked(f"import os; {act}", workdir)
        raised = "import resource as r; r.setrlimit(r.RLIMIT_CORE, (99, 99))"
        assert "ValueError" in run(raised, workdir).stderr


def test_no_new_namespace(workdir: Path) -> None:
    code = (
        "import ctypes, os\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        "libc.unshare(0x10000000); print(ctypes.get_errno())"
    )
    assert works(code, workdir) == f"{errno.EPERM}\n"


# Where it can't be had


@pytest.mark.parametrize("version", [1, 5])
def test_an_older_landlock_is_refused(version: int) -> None:
    with pytest.raises(OSError, match=rf"version {version}; version 6 \(Linux 6.12\) is needed"):
        landlock.check_abi(version)


def test_a_missing_working_directory_is_refused(tmp_path: Path) -> None:
    done = run("", tmp_path / "no")
    assert "FileNotFoundError" in done.stderr
