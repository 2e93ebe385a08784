"""Attacks from inside the interpreter: tracing, collecting, patching, and files left behind."""

from __future__ import annotations

from .model import ANY, Attack

INTERPRETER = (
    Attack(
        number="10",
        name="files to collect: links, FIFO, sparse, odd names, deep, setuid",
        note="the control is a naive collector that follows a link",
        alone=True,
        files=True,
        expect=frozenset({"finished", "crash", "output", "timeout"}),
        code="""
def attack():
    secret = FACTS["private"][0]
    makers = [
        lambda: os.symlink(secret, "link.txt"), lambda: os.symlink(FACTS["config"], "config.yaml"),
        lambda: os.symlink(os.path.dirname(secret), "folder"), lambda: os.symlink("/", "root"),
        lambda: os.mkfifo("fifo"), lambda: os.link("link.txt", "hard.txt"),
        lambda: os.truncate(os.open("sparse", os.O_CREAT | os.O_RDWR), 1 << 40),
        lambda: open("n" * 255, "w").close(), lambda: open("a\\nb", "w").close(),
        lambda: open(b"bad\\xff", "w").close(), lambda: open("..\\\\up", "w").close(),
        lambda: os.chmod(os.open("setuid", os.O_CREAT | os.O_RDWR), 0o6777),
        lambda: os.mknod("socket", stat.S_IFSOCK | 0o600),
        lambda: os.chmod(os.open("unreadable", os.O_CREAT | os.O_RDWR), 0),
    ]
    for make in makers:
        managed("", make)
    open("good.txt", "w").write("good")
    for _ in range(3000):
        try:
            os.mkdir("deep")
            os.chdir("deep")
        except OSError:
            break
    return ""

if __name__ == "__main__":
    attack()
""",
        control="""
def attack():
    os.symlink(FACTS["private"][0], "link.txt")
    return "".join(open(name).read() for name in os.listdir())
""",
    ),
    Attack(
        number="u25",
        name="race the collector: swap a file for a link, over and over, after the end",
        note="the control swaps once",
        alone=True,
        files=True,
        expect=frozenset({"finished", "crash", "timeout"}),
        code="""
def attack():
    secret = FACTS["private"][0]
    os.mkdir("d")
    open("d/x", "w").write("fine")
    if os.fork() == 0:
        os.setsid()
        while True:
            for name, target in (("x", secret), ("d", os.path.dirname(secret))):
                managed("", os.rename, name, name + "1") if name == "d" else None
                managed("", os.symlink, target, name)
                managed("", os.unlink, name)
                managed("", os.rename, name + "1", name) if name == "d" else None
    return ""

if __name__ == "__main__":
    attack()
""",
        control="""
def attack():
    open("x", "w").write("fine")
    os.unlink("x")
    os.symlink(FACTS["private"][0], "x")
    return open("x").read()
""",
    ),
    Attack(
        number="u26",
        name="trace, profile, collect, freeze, switch: the interpreter's own knobs",
        note="what counts are the cases after it; the control finds itself traced",
        code="""
import faulthandler, gc

def attack():
    seen = []
    def trace(*_):
        seen.append(1)
        return trace
    faulthandler.cancel_dump_traceback_later()
    managed("", faulthandler.disable)
    gc.freeze(), gc.disable()
    sys.setswitchinterval(1000)
    sys.addaudithook(lambda *_: seen.append(2))
    sys.setprofile(trace), threading.setprofile(trace), sys.settrace(trace)
    (lambda: 1)()
    return f"seen {len(seen)}" if FACTS["control"] else ""
""",
    ),
    Attack(
        number="u27",
        name="an answer that is hard to take: endless repr, comparison, hash, pickle",
        note="the control never ends either",
        alone=True,
        runs_on=True,
        expect=ANY - {"passed"},
        code="""
class Hard:
    def __eq__(self, other):
        while True:
            pass
    __repr__ = __str__ = __hash__ = __bool__ = __len__ = __reduce__ = lambda self: self == 1
    __reduce_ex__ = __getstate__ = __iter__ = __index__ = lambda self, *_: self == 1

def attack():
    return str(Hard()) if FACTS["control"] else Hard()
""",
    ),
    Attack(
        number="u28",
        name="an answer that is too much to take: a very deep and a very long one",
        note=("the control makes the same values"),
        alone=True,
        expect=ANY - {"passed"} | {"failed"},
        code="""
def attack():
    deep = []
    for _ in range(100_000):
        deep = [deep]
    return [deep, "x" * (64 << 20)]
""",
        control="""
def attack():
    deep = []
    for _ in range(100_000):
        deep = [deep]
    return f"{len(['x' * (64 << 20)])} values"
""",
    ),
)
