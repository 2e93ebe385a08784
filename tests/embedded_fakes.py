"""A tiny model, the hub that has it (a real HTTP server), and the wheels of its mirror."""

from __future__ import annotations

import hashlib
import threading
import zipfile
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

from core.embedded import Mirror, Model

CONTENT = bytes(range(256)) * 1200
PIECE_BYTES = 120_000


def model(name: str = "fake", content: bytes = CONTENT, size: str = "small") -> Model:
    return Model(
        name=name,
        size=size,  # type: ignore[arg-type]
        file=f"{name}.gguf",
        bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        repo=f"owner/{name}",
        mirror=Mirror(
            project=f"{name}-model",
            version="1.0",
            parts=-(-len(content) // PIECE_BYTES),
            part_bytes=PIECE_BYTES,
        ),
    )


def build_wheels(folder: Path, content: bytes = CONTENT, name: str = "fake") -> list[Path]:
    """The wheels that `model(name, content).mirror` names, in order."""
    folder.mkdir(exist_ok=True)
    pieces = [content[i : i + PIECE_BYTES] for i in range(0, len(content), PIECE_BYTES)]
    wheels = []
    for number, piece in enumerate(pieces, 1):
        package = f"{name}_model_part{number}"
        wheel = folder / f"{package}-1.0-py3-none-any.whl"
        info = f"{package}-1.0.dist-info"
        with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(f"{package}/__init__.py", "raise SystemExit('never imported')\n")
            archive.writestr(f"{package}/data/part{number:02}.bin", piece)
            archive.writestr(
                f"{info}/METADATA",
                f"Metadata-Version: 2.1\nName: {package.replace('_', '-')}\nVersion: 1.0\n",
            )
            archive.writestr(
                f"{info}/WHEEL",
                "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            )
            archive.writestr(f"{info}/RECORD", "")
        wheels.append(wheel)
    return wheels


Answer = Callable[["Handler", int], None]
"""How a Hub answers one request that starts at the given offset."""


class Handler(BaseHTTPRequestHandler):
    server: Hub

    def do_GET(self) -> None:
        hub = self.server
        wanted = self.headers.get("Range", "bytes=0-")
        start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        with hub.lock:
            hub.starts.append(start)
            answer = hub.answers.pop(0) if len(hub.answers) > 1 else hub.answers[0]
        answer(self, start)

    def begin(self, start: int, total: int) -> None:
        """Status and headers of a right answer."""
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
        self.send_header("Content-Length", str(total - start))
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


def whole(content: bytes = CONTENT) -> Answer:
    """All of it, from the offset asked for."""

    def answer(handler: Handler, start: int) -> None:
        handler.begin(start, len(content))
        handler.wfile.write(content[start:])

    return answer


def breaks_after(count: int, content: bytes = CONTENT) -> Answer:
    """`count` bytes, then the connection ends."""

    def answer(handler: Handler, start: int) -> None:
        handler.begin(start, len(content))
        handler.wfile.write(content[start : start + count])

    return answer


def stalls_after(count: int) -> Answer:
    """Headers and `count` bytes, then silence until the hub is closed."""

    def answer(handler: Handler, start: int) -> None:
        handler.begin(start, len(CONTENT))
        handler.wfile.write(CONTENT[start : start + count])
        handler.wfile.flush()
        handler.server.stalled.set()
        handler.server.released.wait(30)

    return answer


def silent(handler: Handler, start: int) -> None:
    """Not even a status line."""
    handler.server.stalled.set()
    handler.server.released.wait(30)


def ignores_range(handler: Handler, start: int) -> None:
    """HTTP 200 and everything, whatever was asked for."""
    handler.begin(0, len(CONTENT))
    handler.wfile.write(CONTENT)


def login_page(handler: Handler, start: int) -> None:
    """What a hotel's network answers."""
    body = b"<html>Please log in</html>"
    handler.send_response(200)
    handler.send_header("Content-Type", "text/html")
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


class Hub(ThreadingHTTPServer):
    """Answers with `answers` in turn, the last one for ever; `starts` are the offsets asked."""

    daemon_threads = False
    block_on_close = True

    def __init__(self, *answers: Answer) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers = list(answers)
        self.starts: list[int] = []
        self.lock = threading.Lock()
        self.stalled = threading.Event()
        self.released = threading.Event()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,))
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, *_: object) -> None: ...  # clients break off on purpose

    def close(self) -> None:
        self.released.set()
        self.shutdown()
        self._thread.join()
        self.server_close()


class IndexHandler(Handler):
    server: WheelIndex  # type: ignore[assignment]

    def do_GET(self) -> None:
        name = unquote(self.path.rsplit("/", 1)[-1])
        if name in self.server.held:
            self.server.stalled.set()
            self.server.released.wait(30)
        wheel = self.server.folder / name
        listing = "".join(f'<a href="{w.name}">{w.name}</a>' for w in self.server.wheels)
        body = wheel.read_bytes() if name else f"<html>{listing}</html>".encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/zip" if name else "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class WheelIndex(Hub):
    """A page of links for `pip --find-links`; the wheels named in `held` never arrive."""

    def __init__(self, wheels: list[Path], held: set[str]) -> None:
        self.wheels = wheels
        self.folder = wheels[0].parent
        self.held = held
        super().__init__(whole())
        self.RequestHandlerClass = IndexHandler
