"""Attacks over the network and over sockets, and the one use that must work."""

from __future__ import annotations

from .model import Attack

_CONNECT = """
def attack():
    done = ""
    for host in ("127.0.0.1", "::1", "localhost"):
        done += managed(host, lambda: socket.create_connection((host, FACTS["tcp"]), 1).close())
    return done
"""

NETWORK = (
    Attack(
        number="13",
        name="environment variables beyond the allow-list",
        code="""
def attack():
    more = set(os.environ) - set(FACTS["environment"])
    print({name: os.environ[name] for name in more})
    return " ".join(sorted(more))
""",
    ),
    Attack(
        number="14",
        name="write to descriptors of the app's that were left open",
        damage=True,
        code="""
def attack():
    done = ""
    for fd in range(3, 1024):
        try:
            mode = os.fstat(fd).st_mode
            flags = fcntl.fcntl(fd, fcntl.F_GETFL)
        except OSError:
            continue
        if stat.S_ISDIR(mode) or stat.S_ISSOCK(mode) and FACTS["control"]:
            done += f"{fd} is a directory or a socket; "
        elif not stat.S_ISFIFO(mode) and not stat.S_ISSOCK(mode) and flags & os.O_ACCMODE:
            done += managed(f"wrote to {fd}", os.pwrite, fd, b"changed", 0)
    return done
""",
    ),
    Attack(
        number="15",
        name="connect to the host's loopback ports over IPv4 and IPv6",
        damage=True,
        code=_CONNECT,
    ),
    Attack(
        number="16",
        name="the metadata address, public addresses, name resolution",
        note="a time-out counts as sent; the control connects to a planted port",
        code="""
def attack():
    done = ""
    for host, port in FACTS["far"]:
        try:
            socket.create_connection((host, port), 0.3).close()
            done += f"connected to {host}; "
        except TimeoutError:
            done += f"sent to {host}; "
        except OSError:
            pass
    if not FACTS["control"]:
        done += managed("resolved", socket.getaddrinfo, "example.com", 80)
    return done
""",
    ),
    Attack(
        number="17",
        name="UDP and ICMP to the host",
        note="what counts is what arrives",
        damage=True,
        code="""
def attack():
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        managed("", lambda: socket.socket(family, socket.SOCK_DGRAM).sendto(
            b"x", (host, FACTS["udp"])))
    done = ""
    for host in () if FACTS["control"] else ("192.0.2.1", "169.254.169.254"):
        for kind, protocol in ((socket.SOCK_DGRAM, 0), (socket.SOCK_DGRAM, 1),
                               (socket.SOCK_RAW, 1)):
            done += managed("sent to " + host, lambda: socket.socket(
                socket.AF_INET, kind, protocol).sendto(b"\\x08" + bytes(7), (host, 9)))
    time.sleep(0.05)
    return done
""",
    ),
    Attack(
        number="18",
        name="the app's unix sockets, abstract and by path, and docker's",
        damage=True,
        code="""
def attack():
    done = ""
    for path in ("\\0" + FACTS["abstract"], FACTS["socket"],
                 *(() if FACTS["control"] else ("/var/run/docker.sock", "/run/docker.sock"))):
        done += managed("connected to " + repr(path),
                        lambda: socket.socket(socket.AF_UNIX).connect(path))
    return done
""",
    ),
    Attack(
        number="19",
        name="VSOCK, NETLINK, PACKET, ALG, XDP, KEY, CAN, TIPC, BLUETOOTH sockets",
        code="""
def attack():
    done = ""
    for family in range(3, 64):
        for kind in (1, 2, 3, 5):
            if family != socket.AF_INET6:
                done += managed(f"family {family}",
                                lambda: socket.socket(family, kind, 0).close())
                done += managed(f"pair {family}",
                                lambda: [s.close() for s in socket.socketpair(family, kind)])
    return done
""",
    ),
    Attack(
        number="20",
        name="a server of its own on loopback (must work)",
        work=True,
        not_on={"3": "sockets are denied altogether"},
        code="""
def attack():
    with socket.create_server(("127.0.0.1", 0)) as server:
        with socket.create_connection(server.getsockname(), 2) as client:
            client.sendall(b"ping")
            return "" if server.accept()[0].recv(4) == b"ping" else "no answer"
""",
    ),
    Attack(
        number="u4",
        name="raw sockets and socket options for the privileged",
        note="the control needs root",
        as_root=True,
        code="""
def attack():
    done = ""
    for family, protocol in ((2, 1), (2, 255), (10, 58)):
        done += managed("raw", lambda: socket.socket(family, socket.SOCK_RAW, protocol).close())
    for level, name, value in (
        (socket.SOL_IP, 19, 1),  # IP_TRANSPARENT
        (socket.SOL_SOCKET, 36, 7),  # SO_MARK
        (socket.SOL_SOCKET, 33, 1 << 30),  # SO_RCVBUFFORCE
        (socket.SOL_SOCKET, 32, 1 << 30),  # SO_SNDBUFFORCE
        (socket.SOL_SOCKET, 12, 7),  # SO_PRIORITY
        (socket.SOL_SOCKET, 1, 1),  # SO_DEBUG
    ):
        try:
            opened = socket.socket()
        except OSError:
            continue
        done += managed(f"option {name}", opened.setsockopt, level, name, value)
    return done
""",
    ),
    Attack(
        number="u5",
        name="socket families behind odd numbers (sign, high bits)",
        note="the control opens the family by its plain number",
        code="""
NUMBER = 198 if FACTS["machine"] == "aarch64" else 41

def attack():
    done = ""
    for family in (16, 16 + 2**32, 40 + 2**40, 17 | -(2**63), 38 + 2**33):
        if not call(NUMBER, family, 3, 0) or not call(NUMBER + 2**32, family, 3, 0):
            done += f"{family}; "
    return done
""",
    ),
    Attack(
        number="u6",
        name="descriptors in flight: fill unix sockets with one another",
        note="1,000 messages of themselves; sockets that nobody can reach but each other",
        alone=True,
        exclusive=True,
        control=None,
        not_on={"3": "sockets are denied altogether"},
        code="""
def attack():
    for _ in range(40):
        a, b = socket.socketpair()
        a.setblocking(False)
        try:
            for _ in range(25):
                socket.send_fds(a, [b"x"], [a.fileno(), b.fileno()] * 20)
        except OSError:
            pass
        a.close()
        b.close()
    return ""
""",
    ),
)
