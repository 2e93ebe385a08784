"""What the filter answers to a system call, found by executing it as the kernel would."""

from __future__ import annotations

import errno
import re
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.sandbox import seccomp, syscalls

X86_64, AARCH64, I386, ARM = 0xC000003E, 0xC00000B7, 0x40000003, 0x40000028
MACHINES = {"x86_64": X86_64, "aarch64": AARCH64}
ALLOW, KILL, NOTHING = "allow", "kill", "nothing, said to be done"
TABLES = {
    name: table
    for name, table in vars(syscalls).items()
    if isinstance(table, dict) and name.isupper()
}
CHECKED = {
    "clone": syscalls.CLONE,
    "clone3": syscalls.CLONE3,
    "ioctl": syscalls.IOCTL,
    "socket": syscalls.SOCKET,
    "socketpair": syscalls.SOCKETPAIR,
    "sendto": syscalls.SENDTO,
    "setpriority": syscalls.SETPRIORITY,
}
WORDS = st.integers(0, 2**64 - 1)
HIGH = st.integers(0, 2**32 - 1).map(lambda word: word << 32)
EVERY_MACHINE = pytest.mark.parametrize("machine", MACHINES)


def answer(program: bytes, arch: int, number: int, arguments: tuple[int, ...] = ()) -> str:
    """A classic BPF machine: what `program` returns, in words; raises on what no kernel loads."""
    data = struct.pack("<IIQ6Q", number, arch, 0, *(*arguments, *[0] * 6)[:6])
    code = list(struct.iter_unpack("<HBBI", program))
    accumulator = at = 0
    while True:
        operation, yes, no, value = code[at]
        at += 1
        match operation:
            case 0x20:
                assert value % 4 == 0
                assert value < len(data)
                accumulator = struct.unpack_from("<I", data, value)[0]
            case 0x54:
                accumulator &= value
            case 0x15:
                at += yes if accumulator == value else no
            case 0x25:
                at += yes if accumulator > value else no
            case 0x35:
                at += yes if accumulator >= value else no
            case 0x45:
                at += yes if accumulator & value else no
            case 0x06:
                return in_words(value)
            case _:
                raise AssertionError(f"unknown instruction {operation:#x}")


def in_words(value: int) -> str:
    if value == 0x7FFF0000:
        return ALLOW
    if value == 0x80000000:
        return KILL
    assert value >> 16 == 5, hex(value)
    return errno.errorcode[value & 0xFFFF] if value & 0xFFFF else NOTHING


def ask(machine: str, number: int | None, *arguments: int, strict: bool = False) -> str:
    assert number is not None
    program = seccomp.program(machine, strict=strict)
    return answer(program, MACHINES[machine], number, arguments)


def number_of(machine: str, name: str) -> int | None:
    column = list(MACHINES).index(machine)
    for table in TABLES.values():
        if name in table:
            return table[name][column]
    return CHECKED[name][column]


def test_unknown_machine_has_no_program() -> None:
    with pytest.raises(KeyError):
        seccomp.program("riscv64")


@EVERY_MACHINE
@pytest.mark.parametrize("strict", [False, True])
def test_program_is_one_the_kernel_loads(machine: str, strict: bool) -> None:
    code = list(struct.iter_unpack("<HBBI", seccomp.program(machine, strict=strict)))
    assert len(code) <= 4096
    for at, (operation, yes, no, _) in enumerate(code):
        if operation in (0x15, 0x25, 0x35, 0x45):
            assert at + 1 + max(yes, no) < len(code)
    assert code[-1] == (0x06, 0, 0, 0x7FFF0000)


@EVERY_MACHINE
@pytest.mark.parametrize("strict", [False, True])
def test_other_architectures_are_killed(machine: str, strict: bool) -> None:
    program = seccomp.program(machine, strict=strict)
    for arch in {X86_64, AARCH64, I386, ARM, 0} - {MACHINES[machine]}:
        assert answer(program, arch, 1) == KILL


@given(number=st.integers(0x40000000, 2**32 - 1), arguments=st.tuples(*[WORDS] * 6))
def test_x32_is_killed(number: int, arguments: tuple[int, ...]) -> None:
    assert ask("x86_64", number, *arguments) == KILL


@EVERY_MACHINE
@given(number=st.integers(syscalls.LAST + 1, 0x3FFFFFFF))
def test_calls_that_nobody_has_judged_do_not_exist(machine: str, number: int) -> None:
    assert ask(machine, number) == "ENOSYS"
    assert ask(machine, number, strict=True) == "ENOSYS"


@EVERY_MACHINE
@given(arguments=st.tuples(*[WORDS] * 6))
def test_denied_whatever_the_arguments(machine: str, arguments: tuple[int, ...]) -> None:
    program = seccomp.program(machine, strict=True)
    column = list(MACHINES).index(machine)
    expected = {
        "DENIED": "EPERM",
        "DENIED_STRICT": "EPERM",
        "NO_ATTRIBUTES": errno.errorcode[errno.EOPNOTSUPP],
        "IGNORED": NOTHING,
    }
    for table, said in expected.items():
        for name, numbers in TABLES[table].items():
            number = numbers[column]
            if number is not None:
                assert answer(program, MACHINES[machine], number, arguments) == said, name
                if table == "DENIED":
                    assert ask(machine, number, *arguments) == said, name
    assert ask(machine, CHECKED["clone3"][column], *arguments) == "ENOSYS"


@EVERY_MACHINE
@given(arguments=st.tuples(*[WORDS] * 6))
def test_all_others_are_allowed(machine: str, arguments: tuple[int, ...]) -> None:
    column = list(MACHINES).index(machine)
    known = {numbers[column] for numbers in CHECKED.values()}
    for strict in (False, True):
        tables = TABLES.values() if strict else [syscalls.DENIED]
        listed = known.union(*({row[column] for row in table.values()} for table in tables))
        program = seccomp.program(machine, strict=strict)
        for number in set(range(0, syscalls.LAST + 1, 7)) - listed:
            assert answer(program, MACHINES[machine], number, arguments) == ALLOW, number


# What Python itself is made of: (name, x86_64, aarch64).
ORDINARY = {
    "read": (0, 63),
    "write": (1, 64),
    "openat": (257, 56),
    "close": (3, 57),
    "mmap": (9, 222),
    "mprotect": (10, 226),
    "execve": (59, 221),
    "wait4": (61, 260),
    "kill": (62, 129),
    "setpgid": (109, 154),
    "setsid": (112, 157),
    "sendmsg": (46, 211),
    "recvmsg": (47, 212),
    "futex": (202, 98),
    "pipe2": (293, 59),
    "renameat2": (316, 276),
    "getrandom": (318, 278),
    "rseq": (334, 293),
    "mseal": (462, 462),
}


@EVERY_MACHINE
@pytest.mark.parametrize("name", ORDINARY)
def test_ordinary_calls_are_allowed(machine: str, name: str) -> None:
    number = ORDINARY[name][list(MACHINES).index(machine)]
    assert ask(machine, number, *[2**64 - 1] * 6) == ALLOW
    assert ask(machine, number, *[2**64 - 1] * 6, strict=True) == ALLOW


NEW_NAMESPACES = {
    "mount": 0x00020000,
    "cgroup": 0x02000000,
    "uts": 0x04000000,
    "ipc": 0x08000000,
    "user": 0x10000000,
    "pid": 0x20000000,
    "net": 0x40000000,
}
THREAD_FLAGS = 0x3D0F00  # what glibc starts a thread with


@EVERY_MACHINE
@pytest.mark.parametrize("flag", NEW_NAMESPACES.values(), ids=NEW_NAMESPACES)
@given(others=WORDS)
def test_no_namespace_by_clone(machine: str, flag: int, others: int) -> None:
    # The kernel takes the low 32 bits; whatever is in the high ones, the flag is seen.
    assert ask(machine, number_of(machine, "clone"), others | flag) == "EPERM"


@EVERY_MACHINE
@given(high=HIGH, signal=st.integers(0, 255))
def test_processes_and_threads_by_clone(machine: str, high: int, signal: int) -> None:
    for flags in (0, THREAD_FLAGS, 0x01200000):
        assert ask(machine, number_of(machine, "clone"), high | flags | signal) == ALLOW


@EVERY_MACHINE
@pytest.mark.parametrize("request_", [0x5412, 0x541C])
@given(high=HIGH, fd=WORDS, pointer=WORDS)
def test_no_input_for_a_terminal(
    machine: str, request_: int, high: int, fd: int, pointer: int
) -> None:
    ioctl = number_of(machine, "ioctl")
    assert ask(machine, ioctl, fd, high | request_, pointer) == "EPERM"
    assert ask(machine, ioctl, fd, high | 0x5401, pointer) == ALLOW  # TCGETS, as isatty() does


@EVERY_MACHINE
@given(family=st.integers(0, 2**32 - 1) | st.sampled_from([0, 1, 2, 10, 16, 17, 38, 40, 44]))
@pytest.mark.parametrize("name", ["socket", "socketpair"])
def test_socket_families(machine: str, name: str, family: int) -> None:
    said = ALLOW if family in (1, 2, 10) else "EAFNOSUPPORT"
    for high in (0, 1 << 32, (2**32 - 1) << 32):  # the family is an int to the kernel
        assert ask(machine, number_of(machine, name), high | family, 1) == said


@EVERY_MACHINE
@given(family=WORDS, kind=WORDS)
def test_strict_sockets_come_in_connected_pairs(machine: str, family: int, kind: int) -> None:
    pair = number_of(machine, "socketpair")
    said = ask(machine, pair, family, kind, strict=True)
    if family % 2**32 == 1:
        assert said == (ALLOW if kind % 16 in (1, 5) else "EPERM")
    else:
        assert said == "EAFNOSUPPORT"
    for datagram in (2, 3):  # SOCK_DGRAM and SOCK_RAW, with SOCK_CLOEXEC and SOCK_NONBLOCK
        assert ask(machine, pair, 1, datagram | 0x80800, strict=True) == "EPERM"
    assert ask(machine, pair, 1, 1 | 0x80800, strict=True) == ALLOW
    assert ask(machine, number_of(machine, "socket"), family, kind, strict=True) == "EPERM"


@EVERY_MACHINE
@given(pointer=WORDS, half=st.sampled_from([1, 1 << 31, 1 << 32, 1 << 63]), length=WORDS)
def test_strict_sends_to_no_address(machine: str, pointer: int, half: int, length: int) -> None:
    sendto = number_of(machine, "sendto")
    assert ask(machine, sendto, 3, pointer, 1, 0, pointer | half, length, strict=True) == "EPERM"
    assert ask(machine, sendto, 3, pointer, 1, 0, 0, length, strict=True) == ALLOW


@EVERY_MACHINE
@given(pid=st.integers(1, 2**32 - 1), high=HIGH, others=WORDS)
def test_strict_leaves_other_processes_alone(
    machine: str, pid: int, high: int, others: int
) -> None:
    for name in syscalls.SELF_ONLY:
        number = number_of(machine, name)
        assert ask(machine, number, high | pid, others, strict=True) == "EPERM", name
        assert ask(machine, number, high, others, strict=True) == ALLOW, name
        assert ask(machine, number, high | pid, others) == ALLOW, name
    priority = number_of(machine, "setpriority")
    assert ask(machine, priority, 0, high | pid, strict=True) == "EPERM"
    assert ask(machine, priority, high | pid, 0, strict=True) == "EPERM"
    assert ask(machine, priority, 0, 0, others, strict=True) == ALLOW


FLATPAK = """syslog uselib acct quotactl add_key keyctl request_key move_pages mbind get_mempolicy
set_mempolicy migrate_pages unshare setns mount umount2 pivot_root chroot open_tree move_mount
fsopen fsconfig fsmount fspick mount_setattr perf_event_open personality ptrace"""
# Those that Docker allows nobody, or only who has a capability.
DOCKER = """bpf fanotify_init lookup_dcookie lsm_get_self_attr lsm_list_modules lsm_set_self_attr
sethostname setdomainname reboot delete_module init_module finit_module kcmp pidfd_getfd
process_madvise process_vm_readv process_vm_writev iopl ioperm settimeofday clock_settime vhangup
set_mempolicy_home_node open_by_handle_at io_uring_setup io_uring_enter io_uring_register
userfaultfd kexec_load kexec_file_load swapon swapoff nfsservctl sysfs ustat _sysctl"""


@pytest.mark.parametrize("name", (FLATPAK + " " + DOCKER).split())
def test_nothing_is_allowed_that_flatpak_and_docker_deny(name: str) -> None:
    assert name in syscalls.DENIED


@pytest.mark.parametrize(
    ("machine", "headers"),
    [
        ("x86_64", ("x86_64-linux-gnu/asm/unistd_64.h", "asm/unistd_64.h")),
        ("aarch64", ("asm-generic/unistd.h",)),
    ],
)
def test_numbers_are_the_kernels(machine: str, headers: tuple[str, ...]) -> None:
    path = next(filter(Path.exists, (Path("/usr/include", name) for name in headers)), None)
    if path is None:
        pytest.skip("the kernel's headers are not here: they come with linux-libc-dev")
    # The generic header gives names like __NR3264_fcntl to those that have a 32-bit variant.
    found = re.findall(r"^#define __NR(?:3264)?_(\w+)\s+(\d+)$", path.read_text(), re.MULTILINE)
    theirs = {name: int(number) for name, number in found}
    column = list(MACHINES).index(machine)
    ours = {**CHECKED, **ORDINARY}
    for table in TABLES.values():
        ours.update(table)
    known = ours.keys() & theirs.keys()  # the header may be older, or newer and without old ones
    assert len(known) > 130
    for name in known:
        assert theirs[name] == ours[name][column], name


def test_newer_calls_have_one_number_everywhere() -> None:
    for table in (*TABLES.values(), CHECKED):
        for name, (x86_64, aarch64) in table.items():
            if max(x86_64 or 0, aarch64 or 0) >= 424:
                assert x86_64 == aarch64, name


def test_no_number_is_listed_twice() -> None:
    for column in (0, 1):
        rows = [row for table in (*TABLES.values(), CHECKED) for row in table.values()]
        numbers = [row[column] for row in rows]
        known = [number for number in numbers if number is not None]
        assert len(known) == len(set(known))
        assert max(known) <= syscalls.LAST
