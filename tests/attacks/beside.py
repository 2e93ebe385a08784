"""Attacks on an execution that goes on at the same time: `beside` runs there, again and again."""

from __future__ import annotations

from .model import ANY, ENDED, Attack

_HOLD_S = 0.8  # below the short limits, and long enough for several executions beside it
_ONE_BIT = "one bit per file, while both run; a filter that denies flock breaks programs"
_ONE_BESIDE = "what counts is that what runs beside it finds nothing"


def _hold(code: str) -> str:
    return f"{code}\n    time.sleep({_HOLD_S})\n    return ''\n"


BESIDE = (
    Attack(
        number="12b",
        name="files of an execution beside it",
        note=_ONE_BESIDE,
        alone=True,
        code=_hold("""
def attack():
    for place in ("/tmp", "/job", "/dev/shm", "/var/tmp", os.getcwd(), "/dev", "/dev/mqueue"):
        managed("", lambda: open(f"{place}/beside-{FACTS['token']}", "w").close())
"""),
        beside="""
def attack():
    found = ""
    for place in ("/tmp", "/job", "/dev", "/var/tmp"):
        for folder, _, names in os.walk(place):
            found += "".join(f"{folder}/{name}; " for name in names if name.startswith("beside-"))
    return found
""",
        control="""
def attack():
    open("beside-it", "w").close()
    return " ".join(name for name in os.listdir() if name.startswith("beside-"))
""",
    ),
    Attack(
        number="u29",
        name="terminals, sockets and ports of an execution beside it",
        note=_ONE_BESIDE,
        alone=True,
        code=_hold("""
def attack():
    kept = []
    try:
        kept += [os.openpty() for _ in range(5)]
    except OSError:
        pass
    for family, address in ((socket.AF_UNIX, "\\0beside-it"), (socket.AF_INET, ("", 41234))):
        try:
            kept.append(socket.socket(family))
            kept[-1].bind(address)
            kept[-1].listen()
        except OSError:
            pass
"""),
        beside="""
def attack():
    found = ""
    names = []
    managed("", lambda: names.extend(os.listdir("/dev/pts")))
    for name in names:
        if name != "ptmx":
            found += managed(f"wrote to terminal {name}", lambda: os.write(
                os.open(f"/dev/pts/{name}", os.O_RDWR | os.O_NOCTTY), b"x"))
    for family, address in ((1, "\\0beside-it"), (2, ("127.0.0.1", 41234))):
        found += managed(str(address), lambda: socket.socket(family).connect(address))
    return found
""",
        control="""
def attack():
    own = os.openpty()
    return "/dev/pts" + os.path.basename(os.ttyname(own[1]))
""",
    ),
    Attack(
        number="u30",
        name="fill what a user has but once: descriptors in flight, pipes, watches, signals",
        note="what counts is that what runs beside it passes; the control takes 1,000 watches",
        alone=True,
        exclusive=True,
        expect=ANY,
        code=_hold("""
def fill(kept):
    for _ in range(30):
        a, b = socket.socketpair()
        kept += [a, b]
        a.setblocking(False)
        for _ in range(25):
            socket.send_fds(a, [b"x"], [a.fileno(), b.fileno()] * 20)

def attack():
    for _ in range(8):
        if os.fork() == 0:
            kept = []
            managed("", fill, kept)
            signal.pthread_sigmask(signal.SIG_BLOCK, {40})
            info = struct.pack("iiiiii", 40, 0, -1, 0, os.getpid(), os.getuid()) + bytes(104)
            for _ in range(5000):
                call("rt_sigqueueinfo", os.getpid(), 40, info)
            while LIBC.inotify_init1(0) >= 0:
                pass
            for fd in range(100, 128):
                managed("", os.close, fd)
            try:
                while True:
                    fcntl.fcntl(os.pipe()[1], 1031, 1 << 20)
            except OSError:
                time.sleep(5)
"""),
        beside="""
import subprocess, multiprocessing

def attack():
    reader, writer = os.pipe()
    os.write(writer, b"x" * 4096)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map(abs, [-1, -2]) == [1, 2]
    return ""
""",
        control="""
def attack():
    made = 0
    while made < 1000 and LIBC.inotify_init1(0) >= 0:
        made += 1
    return f"{made} instances"
""",
        not_on={"3": "there is no semaphore for multiprocessing"},
    ),
    Attack(
        number="u31",
        name="locks on shared files, seen by an execution beside it",
        note="a way to signal between executions that can do nothing else with it",
        alone=True,
        code=_hold("""
def attack():
    kept = []
    for path in FACTS["shared"]:
        try:
            kept.append(open(path, "rb"))
            fcntl.flock(kept[-1], fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            pass
"""),
        beside="""
def attack():
    found = ""
    for path in FACTS["shared"]:
        try:
            file = open(path, "rb")
        except OSError:
            continue
        free = managed("x", fcntl.flock, file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        found += "" if free else "locked; "
    return found
""",
        control="""
def attack():
    files = [open(FACTS["shared"][0], "rb") for _ in range(2)]
    fcntl.flock(files[0], fcntl.LOCK_EX | fcntl.LOCK_NB)
    return "" if managed("x", fcntl.flock, files[1], fcntl.LOCK_EX | fcntl.LOCK_NB) else "locked"
""",
        not_on=dict.fromkeys(("1", "1b", "2", "2b", "3"), _ONE_BIT),
    ),
    Attack(
        number="u32",
        name="kill and stop everything, fork and burn, beside an ordinary execution",
        note="what counts is that what runs beside it passes; the control kills one process",
        alone=True,
        exclusive=True,
        expect=ENDED,
        damage=True,
        code="""
def attack():
    if any(managed("x", os.kill, pid, 0) for pid in FACTS["pids"]):
        return "sees the host's processes"
    for _ in range(30):
        managed("", lambda: os.fork())
    while True:
        for pid in range(1, 300):
            if pid != os.getpid():
                managed("", os.kill, pid, signal.SIGSTOP)
""",
        beside="def attack():\n    return ''\n",
        control="""
def attack():
    os.kill(FACTS["pids"][0], signal.SIGKILL)
    return "killed"
""",
    ),
    Attack(
        number="u33",
        name="limits, priority and affinity of the host's processes and of those beside it",
        note="asks, and sets what is set already; the control does so to a planted process",
        code="""
def attack():
    done = ""
    for pid in FACTS["pids"]:
        old = bytes(16)
        for which in (0, 4, 7):
            if call("prlimit64", pid, which, 0, old) == 0:
                done += "" if call("prlimit64", pid, which, old, 0) else f"limit {which} of {pid}; "
        done += managed(f"affinity of {pid}",
                        lambda: os.sched_setaffinity(pid, os.sched_getaffinity(pid)))
        done += managed(f"priority of {pid}",
                        lambda: os.setpriority(0, pid, os.getpriority(0, pid)))
        done += managed(f"scheduler of {pid}", os.sched_setscheduler, pid, 0, os.sched_param(0))
        done += "" if call("ioprio_set", 1, pid, (2 << 13) | 4) else f"io priority of {pid}; "
    return done
""",
    ),
    Attack(
        number="u34",
        name="watch the host's files and directories, and ask for their facts",
        note="the control watches planted ones",
        code="""
def attack():
    done = ""
    for path in (FACTS["config"], os.path.dirname(FACTS["config"]), *FACTS["private"]):
        fd = LIBC.inotify_init1(0)
        if LIBC.inotify_add_watch(fd, path.encode(), 0xFFF) >= 0:
            done += f"watches {path}; "
        managed("", os.close, fd)
        done += managed(f"has a handle of {path}", lambda: os.open(path, os.O_PATH))
        done += managed(f"attributes of {path}", os.listxattr, path)
    return done
""",
        not_on={"3": "Landlock leaves it alone: names, sizes, times and events of files are seen"},
    ),
)
