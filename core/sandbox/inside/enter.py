"""The zygote: a process in a sandbox that forks processes into sandboxes of their own.

It has imported everything, so that what it forks can start a job at once. It never sees a job: it
passes descriptors on. What it forks makes itself namespaces in which nothing of the zygote or of
any other job can be reached, and gives up every privilege, before a job arrives. Any step that
fails ends that process before it has touched a job.
"""

from __future__ import annotations

import _socket
import binascii
import contextlib
import ctypes
import fcntl
import gc
import importlib
import json
import os
import resource
import signal
import socket
import sys

from . import walls

TYPE_CHECKING = False  # importing typing would cost each job some memory
if TYPE_CHECKING:
    from typing import Any, NoReturn

_SIGCHLD, _SIG_DFL = int(signal.SIGCHLD), int(signal.SIG_DFL)
_CLONE_PIDFD = 0x1000
_NEW_MOUNTS, _NEW_CGROUP, _NEW_HOSTNAME, _NEW_IPC = 0x20000, 0x02000000, 0x04000000, 0x08000000
_NEW_USER, _NEW_PID, _NEW_NET = 0x10000000, 0x20000000, 0x40000000
_NAMESPACES = _NEW_MOUNTS | _NEW_CGROUP | _NEW_HOSTNAME | _NEW_IPC | _NEW_USER | _NEW_PID | _NEW_NET
_CLONE = {"x86_64": 56, "aarch64": 220}.get(os.uname().machine, -1)
_CLONE_FLAGS = _NAMESPACES | _CLONE_PIDFD | _SIGCHLD
# For the zygote alone: or each process forked from it would look up the same symbols again.
_BIND_NOW = "LD_BIND_NOW"
_JOBS = 3  # the zygote's own
_JOB_FDS = 5  # what the job finds: 0 job, 1 and 2 output, 3 record, 4 lifeline
_FDS_LIMIT = 16

# Called without letting other threads run, as a fork has to be, and looked up before: see walls.
_alone = ctypes.PyDLL(None, use_errno=True)
_before_fork, _after_fork = _alone.PyOS_BeforeFork, _alone.PyOS_AfterFork_Parent
_after_fork_in_child = _alone.PyOS_AfterFork_Child
_clone_call = _alone.syscall
_clone_call.restype = ctypes.c_long
_clone_call.argtypes = (ctypes.c_long, ctypes.c_ulong, *[ctypes.c_void_p] * 4)
for _function in (_before_fork, _after_fork, _after_fork_in_child):
    _function.argtypes, _function.restype = (), None
_set_signal = importlib.import_module("_signal").signal
_pidfd = ctypes.c_int(-1)
_pidfd_place = ctypes.addressof(_pidfd)


def main() -> NoReturn:
    """Serve jobs that come over the socket on descriptor 3 until its other end is closed."""
    walls.set_dumpable(False)
    # Nobody may pass descriptors on while the user has more of them under way than this allows;
    # jobs have the same user, and are allowed few.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    os.environ.pop(_BIND_NOW, None)
    jobs = socket.socket(fileno=_JOBS)
    config = json.loads(jobs.recv(1 << 18))
    built = walls.Walls(config["scratch_bytes"], binascii.a2b_base64(config["seccomp"]))
    _import(config["preload"], config["path"])
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for what it forks
    gc.collect()
    gc.freeze()
    Zygote(built).serve(jobs)
    os._exit(0)


def main_as() -> NoReturn:
    """As root in namespaces other than of users: become the user of the first argument for good.

    What called us has installed the system call filter and left three capabilities for this.
    """
    user_id = int(sys.argv.pop())
    walls.drop_bounding_set()
    os.setgroups([])
    os.setresgid(user_id, user_id, user_id)
    os.setresuid(user_id, user_id, user_id)
    walls.drop_capabilities()
    from . import init

    init.main()


def _import(preload: list[str], path: list[str]) -> None:
    """Import what a job would; `inside.init` is ours, `preload` are packages' modules."""
    importlib.import_module(".init", __package__)
    before = list(sys.path)
    sys.path += path
    for name in preload:
        with contextlib.suppress(Exception):  # the job itself will say what is wrong with it
            importlib.import_module(name)
    sys.path[:] = before


class Zygote:
    """Keeps one process ready ahead, in its namespaces, and hands it the next job."""

    def __init__(self, built: walls.Walls) -> None:
        self._walls = built
        self._ready: tuple[int, socket.socket] | None = None

    def serve(self, jobs: socket.socket) -> None:
        """Until nobody is left who could send a job, and until the last one has ended."""
        while True:
            if self._ready is None:
                self._ready = self._prepare(jobs)
            word, fds, _, _ = socket.recv_fds(jobs, 16, _FDS_LIMIT)
            if not word:
                break
            self._hand_over(fds, jobs)
            for fd in fds:
                os.close(fd)
        self._ready[1].close()
        with contextlib.suppress(ChildProcessError):
            os.waitpid(-1, 0)

    def _hand_over(self, fds: list[int], jobs: socket.socket) -> None:
        """Give the job to the process that is ready, and its supervisor a hold on that process."""
        pidfd, channel = self._ready or self._prepare(jobs)
        self._ready = None
        supervisor = socket.socket(fileno=os.dup(fds[_JOB_FDS]))
        # Either may be dead already; then the other finds its sockets closed.
        with channel, supervisor, contextlib.suppress(OSError):
            socket.send_fds(channel, [b"job"], fds)
            socket.send_fds(supervisor, [b"pidfd"], [pidfd])
        os.close(pidfd)

    def _prepare(self, jobs: socket.socket) -> tuple[int, socket.socket]:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        pid, pidfd = _clone()
        if pid == 0:
            ours.detach()
            jobs.detach()
            _become(theirs.detach(), self._walls)
        theirs.close()
        return pidfd, ours


def _clone() -> tuple[int, int]:
    """Fork into new namespaces: (pid, pidfd) in the parent, (0, -1) in the child.

    One fork instead of two (unshare, then a fork for the pid namespace). The hooks are those of
    os.fork; of what the C library does beyond, nothing matters with a single thread.
    """
    _before_fork()
    pid = _clone_call(_CLONE, _CLONE_FLAGS, None, _pidfd_place, None, None)
    if pid == 0:
        _after_fork_in_child()
        return 0, -1
    _after_fork()
    walls.check(min(pid, 0), "clone")
    return pid, _pidfd.value


def _become(channel: int, built: walls.Walls) -> NoReturn:
    """In the child: a sandbox, then a job, then `inside.init`."""
    try:
        _set_signal(_SIGCHLD, _SIG_DFL)
        os.dup2(channel, 0)
        walls.close_from(3)
        os.setsid()
        built.build()
        _take_job()
        from . import init

        init.serve()
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.write(2, f"sandbox: {type(error).__name__}: {error}\n".encode())
    os._exit(127)


def _take_job() -> None:
    """Wait for a job on descriptor 0; put its descriptors where they belong and close all others.

    They are the job's five, the supervisor's socket, and those by which to join cgroups.
    """
    channel: Any = _socket.socket(fileno=0)
    word, fds, _, _ = socket.recv_fds(channel, 16, _FDS_LIMIT)
    if not word:
        os._exit(0)
    # Descriptor 0 is taken by the channel and 1 and 2 are the zygote's, so fds start at 3.
    supervisor = fcntl.fcntl(fds[_JOB_FDS], fcntl.F_DUPFD, 100)
    groups = [fcntl.fcntl(fd, fcntl.F_DUPFD, 100) for fd in fds[_JOB_FDS + 1 :]]
    job = [fcntl.fcntl(fd, fcntl.F_DUPFD, 100) for fd in fds[:_JOB_FDS]]
    channel.close()
    for number, fd in enumerate(job):
        os.dup2(fd, number)
    for fd in groups:
        os.write(fd, b"0")
    os.write(supervisor, b"started")
    walls.close_from(_JOB_FDS)
