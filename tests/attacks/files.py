"""Attacks on files: reading, writing, filling, leaving something behind."""

from __future__ import annotations

from .model import ANY, Attack

_NO_TMPFS = {"3": "scratch is a directory of the host's, whose size the watchdog looks after"}

FILES = (
    Attack(
        number="1",
        name="read /etc/passwd, /etc/shadow and other people's files",
        note="the control reads planted files",
        code="""
def attack():
    done = ""
    for path in FACTS["private"]:
        done += managed("read " + path, lambda: print(open(path).read()))
    return done
""",
    ),
    Attack(
        number="2",
        name="read config.yaml by absolute, relative and symlink path",
        code="""
def attack():
    done, path = "", FACTS["config"]
    os.symlink(path, "link")
    os.symlink("../" * 12 + path, "link2")
    for way in (path, "../" * 12 + path, "/../.." + path, "//" + path, "link", "link2"):
        done += managed("read " + way, lambda: print(open(way).read()))
    return done
""",
    ),
    Attack(
        number="3",
        name="list ~/.ssh, /home, /root",
        code="""
def attack():
    done = ""
    for folder in FACTS["folders"]:
        try:
            names = os.listdir(folder)
        except OSError:
            continue
        paths = [os.path.join(folder, name) for name in names]
        # Only the parents of the interpreter that has to be shown.
        paths = [p for p in paths if not any((s + "/").startswith(p + "/") for s in FACTS["shown"])]
        done += " ".join(paths)
    return done
""",
    ),
    Attack(
        number="4",
        name="the app's environment by way of /proc",
        code="""
def attack():
    done = ""
    for pid in ["self", os.getppid(), *range(1, 500), *FACTS["pids"]]:
        for name in ("environ", "cmdline"):
            try:
                text = open(f"/proc/{pid}/{name}", "rb").read()
            except OSError:
                continue
            print(text)
            done += f"{name} of {pid}; " if b"PLANTED_API_" + b"KEY" in text else ""
    return done
""",
    ),
    Attack(
        number="5",
        name="open every /proc/sys file for writing",
        note="opened only, never written; the control needs root",
        as_root=True,
        code="""
def attack():
    done = 0
    for folder, _, names in os.walk("/proc/sys"):
        for name in names:
            try:
                os.close(os.open(os.path.join(folder, name), os.O_WRONLY))
            except OSError:
                continue
            done += 1
    return f"{done} sysctls can be written" if done else ""
""",
    ),
    Attack(
        number="6",
        name="write to /, /usr, the interpreter and its packages (*.pth)",
        note="the control writes to a planted directory",
        code="""
def attack():
    done = ""
    for folder in FACTS["locked"]:
        for name in (f"x{os.getpid()}.pth", "__pycache__"):
            path = os.path.join(folder, name)
            try:
                os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
            except OSError:
                continue
            os.unlink(path)
            done += f"wrote {path}; "
    for path in FACTS["shared"]:
        done += managed("opened " + path, lambda: os.close(os.open(path, os.O_RDWR)))
    return done
""",
    ),
    Attack(
        number="7",
        name="overwrite the runner, the packages and the modules in use",
        note="the control opens a planted file",
        code="""
def attack():
    done = ""
    paths = list(FACTS["shared"])
    if not FACTS["control"]:
        paths += [getattr(m, "__file__", None) for m in list(sys.modules.values())]
        for folder, _, names in os.walk("/opt"):
            paths += [os.path.join(folder, name) for name in names]
    for path in paths:
        if path and not path.startswith(("/job/", "/tmp/")):
            done += managed("opened " + path, lambda: os.close(os.open(path, os.O_WRONLY)))
    return done
""",
    ),
    Attack(
        number="8",
        name="fill /tmp, /job, /dev/shm, /dev and /",
        note="the control writes twice the limit and removes it",
        alone=True,
        not_on=_NO_TMPFS,
        code="""
def attack():
    done = ""
    for folder in FACTS["scratch"]:
        most, size, names = 2 * max(FACTS["scratch_bytes"], 16 << 20), 0, []
        try:
            while size < most:
                names.append(f"{folder}/fill{len(names)}")
                with open(names[-1], "wb") as file:
                    size += file.write(bytes(1 << 20))
        except OSError:
            pass
        for name in names:
            managed("", os.unlink, name)
        done += f"{size} bytes in {folder}; " if size >= most else ""
    return done
""",
    ),
    Attack(
        number="9",
        name="very many empty files",
        note="at most 30,000; the control makes 3,000",
        alone=True,
        expect=ANY,
        not_on={
            **_NO_TMPFS,
            "cold": "this bubblewrap can't cap inodes: time bounds them, and they go with the job",
        },
        code="""
def attack():
    made = 0
    os.mkdir("many")
    try:
        while made < 30_000:
            os.close(os.open(f"many/{made}", os.O_CREAT | os.O_WRONLY))
            made += 1
    except OSError:
        return ""
    return f"{made} files"
""",
        control="""
def attack():
    for number in range(3000):
        os.close(os.open(f"{number}", os.O_CREAT | os.O_WRONLY))
    return f"{len(os.listdir())} files"
""",
    ),
    Attack(
        number="11",
        name="chmod 04777, chown, utime and xattr on what the host shares",
        note="sets the mode that is there already; the control does so to a planted file",
        code="""
def changed(path, action, *arguments):
    # Whether it did anything: a filter may say that it did, and not do it.
    try:
        before = os.stat(path)
        time.sleep(0.02)
        action(path, *arguments)
        return os.stat(path).st_ctime_ns != before.st_ctime_ns
    except OSError:
        return False

def attack():
    done = ""
    for path in [*FACTS["shared"], FACTS["config"]]:
        mode = stat.S_IMODE(os.stat(path).st_mode) if os.path.exists(path) else 0o644
        done += "chmod; " if changed(path, os.chmod, mode) else ""
        done += "chown; " if changed(path, os.chown, -1, -1) else ""
        done += "utime; " if changed(path, os.utime) else ""
        done += "xattr; " if changed(path, os.setxattr, "user.planted", b"x") else ""
    return done
""",
    ),
    Attack(
        number="12",
        name="files of an earlier or a parallel execution",
        note="the control finds its own from a second call",
        code="""
def attack():
    found, own = "", f"planted-{FACTS['token']}"
    for place in ("/tmp", "/job", "/dev/shm", "/var/tmp", os.getcwd()):
        if FACTS["control"] and place != os.getcwd():
            continue
        for folder, _, names in os.walk(place):
            found += "".join(f"{folder}/{n}; " for n in names
                             if n.startswith("planted-") and n != own)
        managed("", lambda: open(f"{place}/{own}", "w").close())
    return found
""",
        control="""
def attack():
    open("planted-by-another", "w").close()
    return " ".join(name for name in os.listdir() if name.startswith("planted-"))
""",
    ),
    Attack(
        number="u1",
        name="hard links to shared files, and sparse and huge ones",
        note="the control links a planted file and makes a sparse one",
        code="""
def attack():
    done = ""
    for number, path in enumerate(FACTS["shared"]):
        done += managed("linked " + path, os.link, path, f"hard{number}")
    with open("sparse", "wb") as file:
        done += managed("1 TB file", file.truncate, 1 << 40)
        done += managed("1 GB allocated", os.posix_fallocate, file.fileno(), 0, 1 << 30)
    os.unlink("sparse")
    return done
""",
        control="""
def attack():
    os.link(FACTS["shared"][0], "hard")
    with open("sparse", "wb") as file:
        file.truncate(1 << 40)
    return "linked, and 1 TB"
""",
    ),
    Attack(
        number="u2",
        name="leave the root by .., by chroot and by file handles",
        note="a shown root has only what was put there; the control lists a planted directory",
        code="""
ALLOWED = {"bin", "dev", "job", "lib", "lib32", "lib64", "opt", "proc", "sbin", "tmp", "usr"}

def attack():
    allowed = ALLOWED | {path.split("/")[1] for path in FACTS["shown"]}
    done = "/proc shows something; " if managed("x", os.listdir, "/proc/self") else ""
    for start in ("/", "../" * 40, "/tmp/../../..", "/job/../..", "/opt/../.."):
        done += " ".join(name for name in os.listdir(start) if name not in allowed)
    handle = struct.pack("IiQ", 8, 1, 2) + bytes(16)  # the root of the file system
    fd = os.open("/", os.O_RDONLY)
    if call("open_by_handle_at", fd, handle, os.O_RDONLY) == 0:
        done += "opened by handle"
    return done
""",
        control="""
def attack():
    return " ".join(os.listdir("../"))
""",
        not_on={"3": "the root is the host's, of which most can't be listed"},
    ),
    Attack(
        number="u3",
        name="devices that are not for everybody",
        note="the control finds those of the host",
        code="""
COMMON = {"null", "zero", "full", "random", "urandom", "tty", "console", "pts", "ptmx", "fd",
          "stdin", "stdout", "stderr", "shm", "core"}

KNOWN = ("mem", "kmsg", "kvm", "fuse", "net/tun", "loop-control", "port", "vda", "sda", "hpet")

def attack():
    found = ""
    for folder, _, names in os.walk("/dev"):
        # By name alone: to open a watchdog would set it off.
        if not folder.startswith(("/dev/shm", "/dev/pts", "/dev/fd")):
            found += " ".join(name for name in names if name not in COMMON)
    for name in KNOWN:
        found += managed(name, lambda: os.close(os.open("/dev/" + name, os.O_RDONLY)))
    found += managed("/dev/tty", lambda: os.close(os.open("/dev/tty", os.O_RDWR)))
    found += managed("/sys", os.listdir, "/sys")
    return found
""",
    ),
)
