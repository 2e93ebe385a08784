"""The attacks that decide whether a way to run code is good enough: each must fail.

They are functions of a candidate, so they run where a candidate runs. Each returns what it could
do, '' when it was stopped, and a case for each asserts that. They only open, connect and ask: none
writes to anything of the machine.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from core.events import Case
from core.sandbox.bubblewrap import environment
from core.sandbox.host import Host

_ATTACKS = r"""
import ctypes, functools, os, signal, socket, stat, sys

def could(attempts):
    done = []
    for name, attempt in attempts:
        try:
            if attempt() is not None:
                done.append(name)
        except (OSError, MemoryError):
            continue
    return ', '.join(done)

def files():
    def seen(name):
        if os.path.isdir(name):
            return os.listdir(name) or None
        return os.open(name, os.O_RDONLY)
    names = {'/etc/passwd', '/etc/shadow', '/root', '/home', '/sys/kernel', '/var/log', APP_FILE}
    return could((name, functools.partial(seen, name)) for name in sorted(names - SHOWN))

def kernel_settings():
    names = ['/proc/self/status', '/proc/1/environ', '/proc/sysrq-trigger',
             '/proc/sys/kernel/core_pattern', '/proc/sys/user/max_user_namespaces']
    return could((f'{name} {flags}', functools.partial(os.open, name, flags))
                 for name in names for flags in (os.O_RDONLY, os.O_WRONLY))

def variables():
    return ', '.join(sorted(set(os.environ) - NAMES))

def writes():
    names = ['/x', '/dev/x', '/opt/x', os.__file__ + '.x', APP_FILE + '.x']
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    return could((name, functools.partial(os.open, name, flags)) for name in names)

def network():
    def abstract():
        client = socket.socket(socket.AF_UNIX)
        client.connect(chr(0) + ABSTRACT)
        return client
    def tcp(address):
        return socket.create_connection(address, 1)
    return could([('a port of this machine', functools.partial(tcp, ('127.0.0.1', PORT))),
                  ('the metadata service', functools.partial(tcp, ('169.254.169.254', 80))),
                  ('a socket of the app', abstract)])

def socket_families():
    # netlink, packet, bluetooth, alg, vsock, xdp
    return could((str(family), functools.partial(socket.socket, family, kind))
                 for family in (16, 17, 31, 38, 40, 44) for kind in (1, 3, 5))

def kernel_calls():
    libc = ctypes.CDLL(None, use_errno=True)
    def call(name, *words):
        if getattr(libc, name)(*words) == -1:
            raise OSError(ctypes.get_errno(), name)
        return name
    calls = [('unshare', 0x10000000), ('unshare', 0x20000), ('chroot', b'/'), ('umount2', b'/', 2),
             ('ptrace', ctypes.c_long(0), None, None, None),
             ('mount', b'none', b'/tmp', b'tmpfs', ctypes.c_ulong(0), None),
             ('sethostname', b'x', ctypes.c_size_t(1)),
             ('shmget', 0, ctypes.c_size_t(4096), 0o1600),
             ('syscall', ctypes.c_long(425), 1, None), ('syscall', ctypes.c_long(323), 0)]
    attempts = [(row[0], functools.partial(call, *row)) for row in calls]
    def become_root():
        os.setuid(0)
        return 'root'
    def make_device():
        os.mknod('canary', stat.S_IFCHR | 0o600, os.makedev(1, 3))
        return 'device'
    attempts += [('memfd_create', lambda: os.memfd_create('x')), ('setuid', become_root),
                 ('mknod', make_device)]
    return could(attempts)

def signals():
    def reach(pid):
        os.kill(pid, 0)  # only asks whether a signal would be allowed
        return pid
    # With a pid namespace its first processes lead our session, and low numbers are its own.
    own = os.getsid(0) <= 2
    pids = [pid for pid in PIDS if pid > 200 or not own]
    return could((f'process {pid}', functools.partial(reach, pid)) for pid in pids)

def descriptors():
    found = []
    for fd in range(3, 1024):
        try:
            mode = os.fstat(fd).st_mode
        except OSError:
            continue
        found.append(KINDS.get(stat.S_IFMT(mode), f'{fd} of kind {stat.S_IFMT(mode):o}'))
    # What asks for the case, and where a hang is told.
    return '' if sorted(found) == ['pipe', 'socket'] else ', '.join(found) or 'none'

KINDS = {stat.S_IFIFO: 'pipe', stat.S_IFSOCK: 'socket'}

def privileges():
    libc = ctypes.CDLL(None, use_errno=True)
    found = []
    data = (ctypes.c_uint32 * 6)()
    if libc.capget((ctypes.c_uint32 * 2)(0x20080522, 0), data) != 0 or any(data):
        found.append('capabilities')
    if libc.prctl(39, 0, 0, 0, 0) != 1:
        found.append('new privileges by execve')
    if libc.prctl(21, 0, 0, 0, 0) != 2:
        found.append('no system call filter')
    return ', '.join(found)

def interpreter():
    return '' if sys.version == VERSION else f'another Python: {sys.version}'

def survivors():
    found = [d for d in ('/tmp', '/job', '/dev/shm') if os.path.exists(d + '/planted')]
    living = 0
    for pid in range(1, 200):
        try:
            os.kill(pid, 0)
        except OSError:
            continue
        living += 1
    return ', '.join(found) if living < 10 else f'{living} processes'

def mess():
    for folder in ('/tmp', '/job', '/dev/shm'):
        try:
            open(folder + '/planted', 'w').close()
        except OSError:
            pass
    for _ in range(12):
        if os.fork() == 0:
            os.setsid()
            signal.pause()
    for pid in (1, os.getppid(), -1):
        for number in (signal.SIGSTOP, signal.SIGKILL):
            try:
                os.kill(pid, number)
            except OSError:
                pass
"""
NAMES = (
    *("files", "kernel_settings", "variables", "writes", "network", "socket_families"),
    *("kernel_calls", "signals", "descriptors", "privileges", "survivors"),
    "interpreter",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Canaries:
    """`code` and `cases` pass only in a sandbox that holds; `mess` is a case that attacks it."""

    code: str
    cases: tuple[Case, ...]
    mess: tuple[Case, ...]


@contextlib.contextmanager
def released(host: Host, launcher_pid: int) -> Iterator[Canaries]:
    """The attacks, while there is something of this machine that they could reach."""
    name = f"codeevolver-{secrets.token_hex(8)}"
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as local:
        local.bind(f"\0{name}")
        local.listen()
        shown = {"/", *(str(p) for _, path in host.binds for p in PurePosixPath(path).parents)}
        shown |= {path for _, path in host.binds}
        facts = {
            "APP_FILE": str(Path(__file__)),
            "SHOWN": shown,
            "NAMES": {*environment(host), "PWD", "TMPDIR"},
            "PORT": server.getsockname()[1],
            "ABSTRACT": name,
            "VERSION": host.version,
            "PIDS": [os.getpid(), launcher_pid],
        }
        code = "".join(f"{key} = {value!r}\n" for key, value in facts.items()) + _ATTACKS
        yield Canaries(
            code=code,
            cases=tuple(_case(name, f"assert {name}() == ''") for name in NAMES),
            mess=(_case("mess", "mess()"),),
        )


def _case(name: str, source: str) -> Case:
    return Case(id=name, source=source, origin="generated")
