"""Attacks on memory, time, output and the kernel's own stores."""

from __future__ import annotations

from .model import ANY, ENDED, Attack

_BOUNDED = "bounded in the control"
_TIMEOUT = frozenset({"timeout"})
_MEMORY = frozenset({"memory", "crash"})
_OUTPUT = frozenset({"output"})
_NO_CGROUP = "memory that belongs to no process counts only where there is a memory cgroup"


def _flood(number: str, name: str, line: str) -> Attack:
    return Attack(
        number=number,
        name=name,
        alone=True,
        runs_on=True,
        expect=_OUTPUT,
        code=f"def attack():\n    while True:\n        {line}\n",
    )


def _forever(number: str, name: str, code: str, expect: frozenset[str] = _TIMEOUT) -> Attack:
    return Attack(number=number, name=name, alone=True, runs_on=True, expect=expect, code=code)


RESOURCES = (
    Attack(
        number="27",
        name="one process, very much memory",
        note=_BOUNDED,
        alone=True,
        expect=_MEMORY,
        code="""
def attack():
    kept = []
    while True:
        kept.append(bytearray(b"x") * (16 << 20))
""",
        control="""
def attack():
    kept = bytearray(b"x") * (2 * FACTS["memory_bytes"])
    return f"{len(kept)} bytes"
""",
    ),
    Attack(
        number="28",
        name="many processes, each below the limit of one",
        note=_BOUNDED,
        alone=True,
        expect=_MEMORY,
        code="""
def attack():
    for _ in range(10):
        if os.fork() == 0:
            kept = bytearray(b"x") * (FACTS["memory_bytes"] // 4)
            time.sleep(30)
    time.sleep(30)
""",
        control="""
def attack():
    def grow():
        bytearray(b"x") * (FACTS["memory_bytes"] // 4)
    return f"{sum(forked(grow) == 0 for _ in range(5))} times"
""",
    ),
    Attack(
        number="29",
        name="memory that belongs to no process: memfd, secret, SysV, message queues",
        code="""
def attack():
    done = ""
    for name, words in (
        ("memfd_create", (b"x", 0)), ("memfd_secret", (0,)), ("shmget", (0, 1 << 20, 0o1600)),
        ("msgget", (0, 0o1600)), ("semget", (0, 100, 0o1600)),
        ("mq_open", (b"planted", os.O_RDWR | os.O_CREAT, 0o600, 0)),
    ):
        done += "" if call(name, *words) else name + "; "
    return done
""",
        control="""
def attack():
    return "" if call("memfd_create", b"x", 0) else "memfd_create"
""",
    ),
    Attack(
        number="29b",
        name="memory in socket and pipe buffers of many processes",
        note="at most 2.5 times the limit, here and in the control",
        alone=True,
        expect=ANY,
        not_on={"no cgroup": _NO_CGROUP},
        code="""
kept = []  # a socket that nobody holds any more is closed, and its buffer freed

def fill(most):
    size = 0
    def put(write, fd):
        os.set_blocking(fd, False)
        with __import__("contextlib").suppress(BlockingIOError):
            while size < most:
                return write(fd, bytes(1 << 16)) + put(write, fd)
        return 0
    try:
        for _ in range(20):
            kept.append(os.pipe())
            managed("", fcntl.fcntl, kept[-1][1], 1031, 1 << 20)  # F_SETPIPE_SZ
            size += put(os.write, kept[-1][1])
        while size < most:
            kept.append(socket.socketpair())
            for end in kept[-1]:
                end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 24)
                size += put(os.write, end.fileno())
    except OSError:
        pass
    return size

def attack():
    result, most = os.pipe(), 2.5 * FACTS["memory_bytes"]
    for _ in range(12):
        if os.fork() == 0:
            os.write(result[1], struct.pack("q", fill(most // 12)))
            time.sleep(2)
            os._exit(0)
    total = sum(struct.unpack("q", os.read(result[0], 8))[0] for _ in range(12))
    return f"{total >> 20} MiB" if total > 1.5 * FACTS["memory_bytes"] else ""
""",
    ),
    _forever("30", "CPU loop", "def attack():\n    while True:\n        pass\n"),
    _forever(
        "30b", "a loop in C: 9 ** 9 ** 8", "def attack():\n    return str(9 ** (9 ** 8))[:0]\n"
    ),
    _forever(
        "30c",
        "catastrophic regular expression",
        "import re\ndef attack():\n    return str(re.match('(a*)*b', 'a' * 60))[:0]\n",
    ),
    Attack(
        number="30d",
        name="recursion in C until the stack ends",
        alone=True,
        expect=ENDED,
        code="""
def attack():
    sys.setrecursionlimit(10**9)
    class Deep:
        def __repr__(self):
            return repr(self)
    return repr(Deep())
""",
        control="""
def attack():
    def deep():
        sys.setrecursionlimit(10**9)
        def f():
            return eval("f()", {"f": f})
        f()
    return f"signal {forked(deep)}"
""",
    ),
    _forever(
        "u14",
        "a sum of very big integers",
        "def attack():\n    x = 3\n    while True:\n        x = x * x % (1 << (1 << 22)) + 3\n",
        frozenset({"timeout", "memory"}),
    ),
    Attack(
        number="31",
        name="raise the limits again",
        note="the control lowers and raises a soft limit: the hard one needs a privilege",
        code="""
import resource
NAMES = [name for name in dir(resource) if name.startswith("RLIMIT_")]

def attack():
    done = ""
    for name in NAMES:
        soft, hard = resource.getrlimit(getattr(resource, name))
        if hard == resource.RLIM_INFINITY:
            continue
        try:
            resource.setrlimit(getattr(resource, name), (hard, hard + 1))
        except (OSError, ValueError):
            continue
        done += name + "; "
    return done
""",
        control="""
import resource

def attack():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
    resource.setrlimit(resource.RLIMIT_NOFILE, (128, hard))
    return "raised"
""",
    ),
    _flood("32", "endless stdout, no newline, NUL, bad UTF-8", "os.write(1, b'\\0\\xff' * 999)"),
    _flood("32b", "endless stderr", "sys.stderr.write('x' * 999)"),
    _flood("32c", "endless output on both", "os.write(1, b'x' * 99), os.write(2, b'y' * 99)"),
    _forever(
        "33",
        "close stdout and stderr and run on",
        "def attack():\n    for fd in (1, 2):\n        os.close(fd)\n    time.sleep(30)\n",
    ),
    Attack(
        number="34",
        name="read stdin",
        note="the control has a line there to read",
        code="""
def attack():
    return (os.read(0, 100) + sys.stdin.buffer.read()).decode()
""",
    ),
    Attack(
        number="u15",
        name="open a FIFO that nobody writes to",
        alone=True,
        runs_on=True,
        expect=_TIMEOUT,
        code="""
def attack():
    os.mkfifo("fifo")
    open("fifo").read()
""",
        not_on={"3": "a FIFO can't be made at all, which ends the attack at once"},
    ),
    Attack(
        number="u16",
        name="zip bomb",
        note=_BOUNDED,
        alone=True,
        expect=_MEMORY | _TIMEOUT,
        code="""
import zlib

def attack():
    small = zlib.compress(bytes(1 << 20), 9)
    kept = [zlib.decompress(small) for _ in range(10_000)]
    return str(len(kept))
""",
        control="""
import zlib

def attack():
    small = zlib.compress(bytes(16 << 20), 9)
    return f"{len(small)} bytes become {len(zlib.decompress(small))}"
""",
    ),
)
