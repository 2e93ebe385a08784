"""Packages for generated code: installed once, whole or not at all, and honest about failures."""

from __future__ import annotations

import base64
import hashlib
import socket
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.cancel import Cancel
from core.errors import Cancelled
from core.sandbox.installed import PackagesState
from core.sandbox.packages import Packages


def write_wheel(folder: Path, name: str, version: str, *, needs: str = "", code: str = "") -> Path:
    """A wheel by hand: a zip with one module and what the index would want to know."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": code or f"VERSION = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        + (f"Requires-Dist: {needs}\n" if needs else ""),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\n"
        "Tag: py3-none-any\n",
    }
    record = ""
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=")
        record += f"{path},sha256={digest.decode()},{len(text)}\n"
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n"
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for name_inside, text in files.items():
            wheel.writestr(name_inside, text)
    return path


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory that pip looks for wheels in, and nowhere else."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def packages(tmp_path: Path) -> Iterator[Callable[..., Packages]]:
    opened: list[Packages] = []

    def make(*wanted: str) -> Packages:
        opened.append(Packages(wanted, tmp_path / "packages"))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


Make = Callable[..., Packages]


def test_without_a_list_nothing_is_done(packages: Make, tmp_path: Path) -> None:
    none = packages()
    assert none.ensure(Cancel()) == PackagesState(phase="none")
    assert none.site is None
    assert not (tmp_path / "packages").exists()


def test_they_are_installed_once_compiled_and_found_again(
    wheels: Path, packages: Make, tmp_path: Path
) -> None:
    write_wheel(wheels, "tiny_one", "1.2", needs="tiny_two>1")
    write_wheel(wheels, "tiny_two", "2.0")
    first = packages("tiny-one==1.*")
    assert first.state.phase == "missing"
    state = first.ensure(Cancel())
    assert state.phase == "ready", state.message
    assert state.asked == ("tiny_one 1.2",)
    assert [str(one) for one in state.packages] == ["tiny_one 1.2", "tiny_two 2.0"]
    site = first.site
    assert site is not None
    assert list(site.glob("__pycache__/tiny_one.*.pyc"))
    assert site.stat().st_mode & 0o777 == 0o755
    program = f"import sys; sys.path.append({str(site)!r}); import tiny_one as t; print(t.VERSION)"
    said = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=True
    )
    assert said.stdout == "1.2\n"
    # Nobody needs the wheels any more.
    for wheel in wheels.iterdir():
        wheel.unlink()
    assert packages("tiny-one==1.*").ensure(Cancel()).asked == ("tiny_one 1.2",)
    assert [path.name for path in (tmp_path / "packages").iterdir() if path.is_dir()] == [site.name]


def test_what_pip_said_is_told_and_nothing_half_done_stays(
    wheels: Path, packages: Make, tmp_path: Path
) -> None:
    write_wheel(wheels, "tiny_one", "1.0")
    broken = packages("tiny_one", "nowhere==3")
    state = broken.ensure(Cancel())
    assert state.phase == "failed"
    assert "pip could not install tiny_one, nowhere==3" in state.message
    assert "No matching distribution found for nowhere==3" in state.message
    assert not [path for path in (tmp_path / "packages").iterdir() if path.is_dir()]
    # One attempt, until somebody asks for another.
    write_wheel(wheels, "nowhere", "3")
    assert broken.ensure(Cancel()).phase == "failed"
    assert broken.ensure(Cancel(), again=True).phase == "ready"


def test_source_archives_are_never_built(wheels: Path, packages: Make, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    source = tmp_path / "src" / "evil-1.0"
    source.mkdir(parents=True)
    (source / "setup.py").write_text(f"open({str(marker)!r}, 'w')\n")
    (source / "PKG-INFO").write_text("Metadata-Version: 1.0\nName: evil\nVersion: 1.0\n")
    with zipfile.ZipFile(wheels / "evil-1.0.zip", "w") as archive:
        for path in source.iterdir():
            archive.write(path, f"evil-1.0/{path.name}")
    assert packages("evil").ensure(Cancel()).phase == "failed"
    assert not marker.exists()


def test_the_old_list_goes_unless_somebody_uses_it(wheels: Path, packages: Make) -> None:
    for name in ("tiny_one", "tiny_two", "tiny_three"):
        write_wheel(wheels, name, "1.0")
    one, two, three = (packages(name) for name in ("tiny_one", "tiny_two", "tiny_three"))
    assert one.ensure(Cancel()).phase == "ready"
    assert two.ensure(Cancel()).phase == "ready"
    assert one.site is not None
    assert one.site.is_dir()
    one.close()
    assert three.ensure(Cancel()).phase == "ready"
    assert not one.site.exists()
    assert two.site is not None
    assert two.site.is_dir()


def test_two_at_once_install_once(wheels: Path, packages: Make) -> None:
    write_wheel(wheels, "tiny_one", "1.0")
    both = [packages("tiny_one") for _ in range(2)]
    states: list[PackagesState] = []
    threads = [
        threading.Thread(target=lambda one=one: states.append(one.ensure(Cancel()))) for one in both
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [state.phase for state in states] == ["ready", "ready"]


def test_what_another_process_installed_is_noticed(wheels: Path, packages: Make) -> None:
    here = packages("tiny_one")
    assert here.ensure(Cancel()).phase == "failed"
    write_wheel(wheels, "tiny_one", "1.0")
    assert packages("tiny_one").ensure(Cancel()).phase == "ready"
    assert here.state.phase == "ready"


def test_a_stop_ends_pip_and_leaves_nothing(
    packages: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # An index that accepts and never answers.
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{silent.getsockname()[1]}/")
        monkeypatch.delenv("PIP_NO_INDEX", raising=False)
        cancel, one = Cancel(), packages("tiny_one")
        ended: list[BaseException] = []

        def work() -> None:
            try:
                one.ensure(cancel)
            except Cancelled as error:
                ended.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        silent.settimeout(30)
        asked, _ = silent.accept()
        with asked:
            assert one.state.phase == "installing"
            begun = time.monotonic()
            cancel.set()
            thread.join(10)
        assert time.monotonic() - begun < 5
    assert len(ended) == 1
    assert one.state.phase == "missing"
    assert not [path for path in (tmp_path / "packages").iterdir() if path.is_dir()]


def test_a_python_without_pip_says_so(tmp_path: Path) -> None:
    one = Packages(("tiny_one",), tmp_path / "packages", python=str(tmp_path / "no-python"))
    state = one.ensure(Cancel())
    assert state.phase == "failed"
    assert "can't be started" in state.message


def test_dependency_by_address_is_refused_and_nothing_of_it_runs(
    packages: Make, wheels: Path, tmp_path: Path
) -> None:
    source = tmp_path / "bbb-1.0"
    source.mkdir()
    ran = tmp_path / "ran"
    (source / "setup.py").write_text(f"open({str(ran)!r}, 'w')\n")
    subprocess.run(
        ["tar", "czf", tmp_path / "bbb-1.0.tar.gz", "-C", tmp_path, "bbb-1.0"], check=True
    )
    write_wheel(wheels, "aaa", "1.0", needs=f"bbb @ file://{tmp_path}/bbb-1.0.tar.gz")
    state = packages("aaa").ensure(Cancel())
    assert state.phase == "failed"
    assert "aaa-1.0-py3-none-any.whl needs bbb from file://" in state.message
    assert not ran.exists()


def test_versions_are_found_that_suit_all(packages: Make, wheels: Path) -> None:
    for version in ("1.0", "2.0", "3.0"):
        write_wheel(wheels, "base", version)
    write_wheel(wheels, "left", "1.0", needs="base>=1.0; python_version >= '3'")
    write_wheel(wheels, "right", "1.0", needs="base<3 ; extra == 'old'")
    write_wheel(wheels, "odd", "1.0", needs="nowhere; python_version < '3'")
    state = packages("left", "right[old]", "odd").ensure(Cancel())
    assert [str(one) for one in state.packages] == ["base 2.0", "left 1.0", "odd 1.0", "right 1.0"]


def test_contradiction_is_told(packages: Make, wheels: Path) -> None:
    write_wheel(wheels, "base", "1.0")
    write_wheel(wheels, "left", "1.0", needs="base<1")
    state = packages("left").ensure(Cancel())
    assert state.phase == "failed"
    assert "base<1" in state.message


def test_half_removed_folder_is_made_anew(packages: Make, wheels: Path) -> None:
    write_wheel(wheels, "aaa", "1.0")
    first = packages("aaa")
    assert first.ensure(Cancel()).phase == "ready"
    first.close()
    assert first.site is not None
    (first.site / ".whole").unlink()
    second = packages("aaa")
    assert second.state.phase == "missing"
    assert second.ensure(Cancel()).phase == "ready"
