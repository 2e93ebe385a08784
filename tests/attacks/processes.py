"""Attacks on processes: signals, tracing, bombs, daemons, stopping."""

from __future__ import annotations

from .model import ANY, ENDED, Attack

_BOUNDED = "bounded in the control"
_TIMEOUT = frozenset({"timeout"})

PROCESSES = (
    Attack(
        number="21",
        name="signal the app, its parent and a process beside it",
        note="the control kills a planted process",
        damage=True,
        code="""
def attack():
    done = ""
    for pid in FACTS["pids"]:
        done += managed(f"sees {pid}", os.kill, pid, 0)
        if FACTS["control"]:
            os.kill(pid, signal.SIGKILL)
    time.sleep(0.05)
    return done
""",
    ),
    Attack(
        number="21b",
        name="kill(-1), also from a child with a session of its own",
        note="stops where it can see the app, which it would kill; the control kills one process",
        alone=True,
        expect=ANY,
        damage=True,
        code="""
def attack():
    if any(managed("x", os.kill, pid, 0) for pid in FACTS["pids"]):
        return "sees the host's processes"
    if os.fork() == 0:
        os.setsid()
        for number in (15, 9):
            managed("", os.kill, -1, number)
        os._exit(0)
    managed("", os.kill, -1, signal.SIGKILL)
    return ""
""",
        control="""
def attack():
    os.kill(FACTS["pids"][0], signal.SIGKILL)
    return "killed"
""",
    ),
    Attack(
        number="22",
        name="ptrace, process_vm, pidfd_getfd, kcmp and /proc/<pid>/mem",
        note="on the sandbox's own first processes, too; the control on a planted one",
        code="""
def attack():
    done = ""
    buffer = ctypes.create_string_buffer(8)
    vector = struct.pack("PN", ctypes.addressof(buffer), 8)
    siblings = () if FACTS["control"] else [n for n in range(1, 64) if n != os.getpid()]
    for pid in (*FACTS["pids"], *siblings):
        for number in (16, 0x4206):  # ATTACH, SEIZE
            done += "" if call("ptrace", number, pid, 0, 0) else f"traced {pid}; "
        if call("process_vm_readv", pid, vector, 1, vector, 1, 0) in (0, errno.EFAULT):
            done += f"read {pid}; "
        if call("kcmp", pid, pid, 0, 0, 0) == 0:
            done += f"compared {pid}; "
        with __import__("contextlib").suppress(OSError, AttributeError):
            fd = os.pidfd_open(pid)
            done += "" if call("pidfd_getfd", fd, 1, 0) else f"took from {pid}; "
        done += managed(f"memory of {pid}", lambda: os.open(f"/proc/{pid}/mem", os.O_RDWR))
    return done
""",
    ),
    Attack(
        number="22b",
        name="system calls behind odd numbers (high bits)",
        note="the control makes the plain call",
        code="""
def attack():
    done = ""
    for name in ("ptrace", "unshare", "keyctl", "memfd_create"):
        words = {"ptrace": (0, 0, 0, 0), "unshare": (0x10000000,), "memfd_create": (b"x", 0)}
        for high in (2**32, 2**33, 2**62, -(2**63)):
            def attempt():
                return int(call(FACTS["calls"][name] + high, *words.get(name, (0, -3, 0))) == 0)
            done += f"{name}; " if forked(attempt) == -1 else ""
    return done
""",
        control="""
def attack():
    return "traced" if forked(lambda: int(call("ptrace", 0, 0, 0, 0) == 0)) == -1 else ""
""",
    ),
    Attack(
        number="23",
        name="fork bomb",
        note=_BOUNDED,
        alone=True,
        exclusive=True,
        expect=ENDED,
        code="""
def attack():
    while True:
        managed("", os.fork)
""",
        control="""
def attack():
    for _ in range(100):
        if os.fork() == 0:
            time.sleep(0.2)
            os._exit(0)
    return "100 forks"
""",
    ),
    Attack(
        number="24",
        name="daemon: double fork, setsid, closed descriptors",
        damage=True,
        code="""
def attack():
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            LIBC.prctl(1, 0)
            os.closerange(0, 256)
            time.sleep(30)
        os._exit(0)
    os.wait()
    time.sleep(0.05)
    return ""
""",
    ),
    Attack(
        number="25",
        name="ignore all signals and sleep",
        alone=True,
        runs_on=True,
        expect=_TIMEOUT,
        code="""
def attack():
    for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_IGN)
    time.sleep(30)
""",
    ),
    Attack(
        number="26",
        name="SIGSTOP to itself and to stopped children",
        alone=True,
        runs_on=True,
        expect=_TIMEOUT,
        code="""
def attack():
    for _ in range(4):
        if os.fork() == 0:
            os.kill(os.getpid(), signal.SIGSTOP)
    os.kill(os.getpid(), signal.SIGSTOP)
    time.sleep(30)
""",
    ),
    Attack(
        number="u7",
        name="SIGSTOP storm on every process of the sandbox",
        note="the control stops itself",
        alone=True,
        runs_on=True,
        expect=ENDED,
        code="""
def attack():
    if any(managed("x", os.kill, pid, 0) for pid in FACTS["pids"]):
        return "sees the host's processes"
    for _ in range(200):
        for pid in range(1, 200):
            if pid != os.getpid():
                managed("", os.kill, pid, signal.SIGSTOP)
    managed("", os.kill, 0, signal.SIGSTOP)
    os.kill(os.getpid(), signal.SIGSTOP)
    time.sleep(30)
""",
        control="""
def attack():
    os.kill(os.getpid(), signal.SIGSTOP)
""",
    ),
    Attack(
        number="u8",
        name="every signal to the sandbox's first process, and SIGKILL to all others",
        note="the control kills one process",
        alone=True,
        expect=ANY,
        damage=True,
        code="""
def attack():
    if any(managed("x", os.kill, pid, 0) for pid in FACTS["pids"]):
        return "sees the host's processes"
    for number in range(1, 65):
        managed("", os.kill, 1, number)
    time.sleep(0.1)
    for pid in range(1, 300):
        if pid != os.getpid():
            managed("", os.kill, pid, signal.SIGKILL)
    return ""
""",
        control="""
def attack():
    os.kill(FACTS["pids"][0], signal.SIGKILL)
    return "killed"
""",
    ),
    Attack(
        number="u9",
        name="subreaper, no dumping, no death signal, then an orphan",
        damage=True,
        code="""
def attack():
    for option, value in ((36, 1), (4, 0), (1, 0)):  # SUBREAPER, DUMPABLE, PDEATHSIG
        LIBC.prctl(option, value)
    if os.fork() == 0:
        os.setpgid(0, 0)
        for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_IGN)
        time.sleep(30)
        os._exit(0)
    return ""
""",
    ),
    Attack(
        number="u10",
        name="signals by way of F_SETOWN, pidfds and queues",
        note="the control hits a planted process",
        damage=True,
        code="""
def attack():
    done = ""
    for pid in FACTS["pids"]:
        a, b = os.pipe()
        managed("", fcntl.fcntl, a, fcntl.F_SETOWN, pid)
        managed("", fcntl.fcntl, a, 10, signal.SIGTERM)  # F_SETSIG
        managed("", fcntl.fcntl, a, fcntl.F_SETFL, os.O_ASYNC)
        os.write(b, b"x")
        done += "" if call("rt_sigqueueinfo", pid, 0, bytes(128)) else f"queued to {pid}; "
        with __import__("contextlib").suppress(OSError, AttributeError):
            fd = os.pidfd_open(pid)
            if call("pidfd_send_signal", fd, signal.SIGTERM, 0, 0) == 0:
                done += f"signalled {pid}; "
    time.sleep(0.1)
    return done
""",
    ),
    Attack(
        number="u12",
        name="raise its priority (nice, real time, ioprio, deadline)",
        note="the control needs root",
        as_root=True,
        code="""
def attack():
    def attempts():
        done = managed("nice", os.setpriority, os.PRIO_PROCESS, 0, -5)
        done += managed("fifo", os.sched_setscheduler, 0, os.SCHED_FIFO, os.sched_param(1))
        done += managed("round robin", os.sched_setscheduler, 0, os.SCHED_RR, os.sched_param(1))
        done += "" if call("ioprio_set", 1, 0, (1 << 13) | 4) else "io; "
        os.write(2, done.encode())
        return len(done)
    number = forked(attempts)
    return f"raised it ({number})" if number else ""
""",
    ),
)
