"""Attacks by number: threads, signals, timers, descriptors, pages."""

from __future__ import annotations

from .model import ANY, Attack

COUNTS = (
    Attack(
        number="u11",
        name="very many threads",
        note="at most 600, here and in the control",
        alone=True,
        expect=ANY,
        code="""
def attack():
    threading.stack_size(1 << 16)
    count, stop = 0, threading.Event()
    try:
        while count < 600:
            threading.Thread(target=stop.wait, daemon=True).start()
            count += 1
    except (RuntimeError, MemoryError):
        pass
    time.sleep(0.3)
    stop.set()
    return f"{count} threads" if count > 2 * FACTS["processes"] else ""
""",
    ),
    Attack(
        number="u13",
        name="queued signals and timers by the hundred thousand",
        note="they count for the user, also outside; at most 20,000, here and in the control",
        code="""
def attack():
    signal.pthread_sigmask(signal.SIG_BLOCK, {40})
    info = struct.pack("iiiiii", 40, 0, -1, 0, os.getpid(), os.getuid()) + bytes(104)
    queued = 0
    while queued < 20_000 and not call("rt_sigqueueinfo", os.getpid(), 40, info):
        queued += 1
    made, event, identity = 0, struct.pack("qii", 0, 0, 1) + bytes(48), bytes(8)
    while made < 20_000 and not call("timer_create", 1, event, identity):
        made += 1
    return f"{queued} signals, {made} timers" if max(queued, made) > 10_000 else ""
""",
    ),
    Attack(
        number="u17",
        name="descriptors, watches, timers and events by the thousand",
        note="at most 1,024, here and in the control",
        code="""
import resource

def attack():
    if FACTS["control"]:
        resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(7)[1],) * 2)
    makers = {
        "epoll": lambda: LIBC.epoll_create1(0),
        "eventfd": lambda: LIBC.eventfd(0, 0),
        "timerfd": lambda: LIBC.timerfd_create(1, 0),
        "inotify": lambda: LIBC.inotify_init1(0),
        "terminal": lambda: LIBC.posix_openpt(os.O_RDWR | os.O_NOCTTY),
    }
    done = ""
    for name, make in makers.items():
        made = []
        while len(made) < 1024:
            fd = make()
            if fd < 0:
                break
            made.append(fd)
        for fd in made:
            os.close(fd)
        done += f"{len(made)} {name}; " if len(made) > 512 else ""
    return done
""",
    ),
    Attack(
        number="u18",
        name="lock memory and pages: mlockall, huge mappings",
        note="the control locks 16 MiB",
        as_root=True,
        code="""
import mmap

def attack():
    done = "" if call("mlockall", 3) else "locked; "
    try:
        mmap.mmap(-1, 64 << 30)
        done += "64 GiB mapped; "
    except (OSError, MemoryError, ValueError):
        pass
    return done
""",
    ),
    Attack(
        number="u35",
        name="files without a name that only a mapping or a message holds",
        note="at most eight times the limit, here and in the control",
        alone=True,
        expect=ANY,
        code="""
import mmap

def attack():
    size, kept, half = FACTS["scratch_bytes"] // 2, [], 0
    total = 0
    try:
        while total < 8 * FACTS["scratch_bytes"]:
            with open("nameless", "w+b") as file:
                os.unlink("nameless")
                for _ in range(size >> 20):
                    file.write(bytes(1 << 20))
                file.flush()
                half += 1
                if half % 2:
                    kept.append(mmap.mmap(file.fileno(), size))
                else:
                    kept += socket.socketpair()
                    socket.send_fds(kept[-1], [b"x"], [file.fileno()])
            total += size
    except OSError:
        return ""
    time.sleep(0.3)
    return f"{total >> 20} MiB"
""",
    ),
)
