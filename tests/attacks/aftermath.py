"""Attacks on whatever comes after them: cases, executions, the host."""

from __future__ import annotations

from .model import ANY, ENDED, Attack

AFTERMATH = (
    Attack(
        number="u19",
        name="lock files that the host and other executions read",
        note="what counts is that the host can lock them afterwards",
        code="""
def attack():
    kept = []
    for path in FACTS["shared"]:
        try:
            kept.append(open(path, "rb"))
            fcntl.flock(kept[-1], fcntl.LOCK_EX | fcntl.LOCK_NB)
            fcntl.fcntl(kept[-1], 1024, 0)  # F_SETLEASE, read
        except OSError:
            pass
    if FACTS["control"]:
        other = open(FACTS["shared"][0], "rb")
        return "" if managed("x", fcntl.flock, other, fcntl.LOCK_EX | fcntl.LOCK_NB) else "locked"
    return ""
""",
    ),
    Attack(
        number="u21",
        name="leave limits, umask, handlers, directory and permissions changed",
        note="what counts are the cases after it; the control finds its own umask changed",
        code="""
def attack():
    os.umask(0o777)
    os.chdir("/")
    for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
    os.environ.clear()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    managed("", os.setpriority, os.PRIO_PROCESS, 0, 19)
    managed("", os.sched_setscheduler, 0, os.SCHED_IDLE, os.sched_param(0))
    LIBC.alarm(1)
    return "changed" if FACTS["control"] and os.umask(0) == 0o777 else ""
""",
    ),
    Attack(
        number="u22",
        name="take away its working directory and everybody's permissions",
        note="the control removes a directory under itself",
        alone=True,
        expect=ANY,
        code="""
import shutil

def attack():
    place = os.getcwd()
    os.chdir("/")
    if FACTS["control"] or place.startswith(("/job", "/tmp")):
        shutil.rmtree(place, ignore_errors=True)
        managed("", os.symlink, "/opt", place)
    for number in range(50):
        managed("", os.symlink, "/", f"{os.path.dirname(place)}/{number}")
    for folder in () if FACTS["control"] else ("/job", "/tmp", "/dev/shm"):
        managed("", os.chmod, folder, 0)
    return "removed" if FACTS["control"] and os.path.islink(place) else ""
""",
        control="""
def attack():
    os.mkdir("here")
    os.chdir("here")
    os.rmdir("../here")
    return managed("removed", os.listdir, "../here") or "removed"
""",
    ),
    Attack(
        number="u23",
        name="die of a signal and leave a core file",
        alone=True,
        expect=ENDED,
        note="the control dies in a child",
        code="""
import resource

def attack():
    managed("", resource.setrlimit, resource.RLIMIT_CORE, (0, 0))
    LIBC.prctl(4, 1)
    os.kill(os.getpid(), signal.SIGSEGV)
    time.sleep(30)
""",
        control="""
def attack():
    return f"signal {forked(lambda: os.kill(os.getpid(), signal.SIGABRT))}"
""",
    ),
    Attack(
        number="u24",
        name="set-up that fails the next cases: no memory, no processes, no descriptors left",
        alone=True,
        expect=ANY,
        note="the control runs out of descriptors",
        code="""
def attack():
    kept = []
    for _ in range(100):
        managed("", lambda: kept.append(os.dup(1)))
    for _ in range(60):
        try:
            if os.fork() == 0:
                os.setsid()
                time.sleep(30)
        except OSError:
            break
    return ""
""",
        control="""
import resource

def attack():
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    for _ in range(100):
        if not managed("x", os.dup, 1):
            return "none left"
""",
    ),
)
