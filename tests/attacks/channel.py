"""Attacks on the runner by way of the descriptors that a candidate has to have."""

from __future__ import annotations

from .model import ANY, Attack

_NOTE = "there is no runner outside: what counts is that the run ends with a verdict"
# The candidate's answer is lost, so the case can't pass, but it may fail in any way.
_NO_PASS = ANY - {"passed"} | {"failed"}


def _say(number: str, name: str, words: str) -> Attack:
    return Attack(
        number=number,
        name=f"{name} on every descriptor",
        note=_NOTE,
        control=None,
        alone=True,
        expect=_NO_PASS,
        code=f"""
WORDS = [{words}]

def attack():
    for fd in [*range(3, 256), 0]:
        managed("", os.set_blocking, fd, False)
        for word in WORDS:
            for _ in range(3):
                managed("", os.write, fd, word)
    os._exit(0)
""",
    )


CHANNEL = (
    _say("u36", "bytes that are no message", "b'\\xff' * 4096, b'\\0' * 4096, b'\\n' * 99"),
    _say("u36b", "lengths that are not kept", "struct.pack('>Q', 2**62), struct.pack('<I', 2**31)"),
    _say(
        "u36c",
        "messages too deep and too odd",
        "b'[' * 50_000, b'{}', b'NaN\\n', b'null\\n', b'\"'",
    ),
    Attack(
        number="u36d",
        name="descriptors and long messages that nobody asked for",
        note=_NOTE,
        control=None,
        alone=True,
        expect=_NO_PASS,
        code="""
def attack():
    for fd in range(3, 256):
        try:
            channel = socket.socket(fileno=os.dup(fd))
        except OSError:
            continue
        channel.setblocking(False)
        for word in (b"{}", b"x" * 65_536, b""):
            for _ in range(20):
                managed("", socket.send_fds, channel, [word], [0, 1, 2] * 20)
    os._exit(0)
""",
    ),
    Attack(
        number="u37",
        name="close every descriptor and run on",
        note=_NOTE,
        control=None,
        alone=True,
        expect=_NO_PASS,
        code="""
def attack():
    os.closerange(0, 256)
    time.sleep(30)
""",
    ),
    Attack(
        number="u38",
        name="answer twice, and go on in two processes",
        note=_NOTE,
        control=None,
        alone=True,
        expect=ANY | {"failed"},
        code="""
def attack():
    for _ in range(5):
        os.fork()
    return ""
""",
    ),
    Attack(
        number="u39",
        name="shut down the channel and keep it open",
        note=_NOTE,
        control=None,
        alone=True,
        expect=_NO_PASS,
        code="""
def attack():
    for fd in range(3, 256):
        for how in (socket.SHUT_WR, socket.SHUT_RD):
            managed("", lambda: socket.socket(fileno=os.dup(fd)).shutdown(how))
    time.sleep(30)
""",
    ),
)
