"""Attacks on privilege and on the kernel's less common doors."""

from __future__ import annotations

from .model import ANY, Attack

PRIVILEGE = (
    Attack(
        number="35",
        name="new namespaces by unshare, clone, clone3 and setns",
        note="the control needs root, or user namespaces",
        code="""
KINDS = {"user": 0x10000000, "mount": 0x20000, "pid": 0x20000000, "net": 0x40000000,
         "ipc": 0x8000000, "uts": 0x4000000, "cgroup": 0x2000000, "time": 0x80}

def attack():
    done = ""
    for name, flag in KINDS.items():
        for flags in (flag, flag | 0x10000000):
            def unshare():
                return int(call("unshare", flags) == 0)
            def clone():
                pid = LIBC.syscall(FACTS["calls"]["clone"], ctypes.c_long(flags | 17), 0, 0, 0, 0)
                return int(pid > 0)
            def clone3():
                words = struct.pack("8Q", flags, 0, 0, 0, 17, 0, 0, 0)
                return int(LIBC.syscall(FACTS["calls"]["clone3"], words, 64) > 0)
            for way in (unshare, clone3) if flag == 0x80 else (unshare, clone, clone3):
                done += f"{way.__name__} {name}; " if forked(way) == -1 else ""
    for pid in (1, os.getpid(), os.getppid()):
        done += managed("ns", lambda: os.listdir(f"/proc/{pid}/ns"))
    return done
""",
        not_on={"3": "/proc is out of reach, but its own namespaces can't be changed: see 36"},
    ),
    Attack(
        number="35b",
        name="run programs: bubblewrap, a shell, su, mount, the loader",
        note="the control runs a shell",
        code="""
import subprocess

PROGRAMS = ("bwrap", "sh", "su", "sudo", "mount", "unshare", "newuidmap", "fusermount", "gcc")

def attack():
    done = ""
    for name in PROGRAMS:
        for folder in ("/usr/bin/", "/bin/", "/usr/sbin/", "/sbin/", ""):
            done += managed(folder + name, lambda: subprocess.run(
                [folder + name, "--version"], capture_output=True, stdin=subprocess.DEVNULL,
                timeout=5))
    return done
""",
        control="""
def attack():
    import subprocess
    return subprocess.run(["sh", "-c", "echo ran"], capture_output=True, text=True).stdout
""",
        not_on={"3": "programs of the host's can be read and run, as the one that was dropped to"},
    ),
    Attack(
        number="36",
        name="mount, umount, pivot_root, the new mount calls, chroot, mknod",
        note="the control needs root and works in a mount namespace of its own",
        as_root=True,
        code="""
def attack():
    def attempts():
        if FACTS["control"]:
            call("unshare", 0x20000)
            call("mount", b"none", b"/", 0, (1 << 18) | 16384, 0)
        os.makedirs("mnt", exist_ok=True)
        done = 0
        for words in ((b"t", b"mnt", b"tmpfs", 0, 0), (b"/", b"mnt", 0, 4096, 0),
                      (b"p", b"mnt", b"proc", 0, 0), (b"none", b"/", 0, 32 | 4096, 0)):
            done += call("mount", *words) == 0
        if not FACTS["control"]:
            for place in (b"/", b"/tmp", b"/job", b"/dev", b"/opt", b"/usr/lib"):
                done += call("umount2", place, 2) == 0
            done += call("pivot_root", b"/job", b"/job") == 0
            done += call("open_tree", -100, b"/", 1) == 0
            done += call("fsopen", b"tmpfs", 0) == 0
            done += call("mount_setattr", -100, b"/", 0, bytes(32), 32) == 0
        for kind in (stat.S_IFCHR, stat.S_IFBLK):
            done += bool(managed("x", os.mknod, f"node{kind}", kind | 0o666, os.makedev(1, 3)))
        done += bool(managed("x", os.chroot, "mnt"))
        return done
    count = -forked(attempts)
    return f"{count} of them" if count else ""
""",
    ),
    Attack(
        number="36b",
        name="become another user, get capabilities back",
        note="the control needs root",
        as_root=True,
        code="""
def attack():
    def attempts():
        done = 0
        for user in (0, 1, 1000, 65521):
            if user != os.getuid():
                done += bool(managed("x", os.setgroups, [user]))
                done += bool(managed("x", os.setresgid, user, user, user))
                done += bool(managed("x", os.setresuid, user, user, user))
        for ambient in range(40):
            done += LIBC.prctl(47, 2, ambient, 0, 0) == 0  # PR_CAP_AMBIENT_RAISE
        return done
    header, sets = struct.pack("Ii", 0x20080522, 0), bytes(24)
    call("capget", header, sets)
    done = "capabilities; " if any(sets) else ""
    done += "" if LIBC.prctl(39, 0, 0, 0, 0) == 1 else "new privileges; "
    done += "" if LIBC.prctl(21, 0, 0, 0, 0) == 2 else "no seccomp; "
    count = -forked(attempts)
    return done + (f"{count} changes" if count else "")
""",
    ),
    Attack(
        number="37",
        name="io_uring, bpf, perf, userfaultfd, keyrings, fanotify, syslog",
        code="""
def attack():
    done = ""
    for name, words in (
        ("io_uring_setup", (4, bytes(120))), ("bpf", (0, bytes(128), 128)),
        ("perf_event_open", (struct.pack("II", 1, 112) + bytes(104), 0, -1, -1, 0)),
        ("userfaultfd", (1,)), ("add_key", (b"user", b"planted", b"x", 1, -3)),
        ("keyctl", (0, -3, 1)), ("request_key", (b"user", b"planted", 0, 0)),
        ("fanotify_init", (0, 0)), ("syslog", (10, 0, 0)), ("personality", (0x0040000,)),
        ("move_pages", (0, 0, 0, 0, 0, 0)),
    ):
        # Whatever the kernel says of the arguments: it must not have got to look at them.
        done += "" if refused(call(name, *words)) else name + "; "
    return done
""",
        control="""
def attack():
    done = forked(lambda: int(call("personality", 0x0040000) == 0)) == -1
    return "personality" if done else ""
""",
    ),
    Attack(
        number="37b",
        name="system calls of other architectures: int 0x80 and x32",
        note="the control calls getpid by int 0x80",
        alone=True,
        expect=ANY,
        code="""
import mmap

def attack():
    if FACTS["machine"] != "x86_64":
        return ""
    page = mmap.mmap(-1, 4096, prot=7)
    page.write(b"\\xb8\\x14\\x00\\x00\\x00\\xcd\\x80\\xc3")  # mov eax, 20; int 0x80; ret
    start = ctypes.addressof(ctypes.c_char.from_buffer(page))
    def old():
        return int(ctypes.CFUNCTYPE(ctypes.c_int)(start)() == os.getpid())
    def x32():
        return int(LIBC.syscall(0x40000000 + 39) == os.getpid())
    done = "int 0x80; " if forked(old) == -1 else ""
    return done + ("x32; " if forked(x32) == -1 else "")
""",
    ),
    Attack(
        number="38",
        name="put input into the app's terminal (TIOCSTI, TIOCLINUX)",
        note="the control needs root, or a kernel that still allows it",
        damage=True,
        as_root=True,
        code="""
def attack():
    done = ""
    fds = [0, 1, 2]
    with __import__("contextlib").suppress(OSError):
        fds.append(os.open("/dev/tty", os.O_RDWR))
    for fd in fds:
        for request in (0x5412, 0x541C, 0x5412 + 2**32):
            number = FACTS["calls"].get("ioctl", 29 if FACTS["machine"] == "aarch64" else 16)
            done += "" if call(number, fd, request, b"x") else f"{request:x} on {fd}; "
    return done
""",
    ),
    Attack(
        number="u20",
        name="clock, host name, modules, reboot, swap, accounting, quotas",
        note="with arguments that change nothing; the control only asks for modules",
        as_root=True,
        code="""
def attack():
    done = ""
    for name, words in (
        ("clock_settime", (0, 1)), ("settimeofday", (1, 0)), ("sethostname", (1, 5)),
        ("reboot", (0, 0, 0, 0)), ("kexec_load", (0, 99, 1, 0)), ("init_module", (1, 8, 1)),
        ("delete_module", (1, 0)), ("swapon", (1, 0)), ("quotactl", (0x80000200, 1, 0, 1)),
        ("adjtimex", (1,)),
    ):
        if FACTS["control"] and name not in ("init_module", "delete_module", "sethostname"):
            continue
        done += "" if refused(call(name, *words)) else name + "; "
    return done
""",
    ),
)
