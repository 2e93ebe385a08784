"""Layers point one way, and each I/O library has its place."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# Library -> the only files (or folders) of ours that may import it.
PLACES = {
    "requests": ("core/endpoints/pool.py", "core/embedded/hub.py"),
    "urllib3": ("core/endpoints/", "core/embedded/hub.py"),
    "subprocess": ("core/sandbox/", "core/embedded/"),
    "sqlalchemy": ("core/log.py", "core/savings_"),
    "dbos": ("core/durable.py",),
    "yaml": ("core/config/",),
    "ruamel": ("core/config/",),
    "xllamacpp": ("core/embedded/server.py",),
    "prometheus_client": ("webui/metrics.py",),
}
WEB = {"flask", "flask_sock", "webui", "gunicorn", "werkzeug", "simple_websocket"}


def sources(*folders: str) -> list[Path]:
    found = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    return [*found, ROOT / "run.py"] if "." in folders else found


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.split(".")[0]


@pytest.mark.parametrize("path", sources("core"), ids=lambda path: str(path.relative_to(ROOT)))
def test_the_engine_knows_nothing_of_the_web(path: Path) -> None:
    assert not WEB & set(imported(path))


@pytest.mark.parametrize("library", PLACES)
def test_each_library_has_its_place(library: str) -> None:
    for path in sources("core", "webui"):
        name = str(path.relative_to(ROOT))
        if library in imported(path):
            assert name.startswith(PLACES[library]), f"{name} imports {library}"


def test_nothing_speaks_to_the_log_table_but_the_log() -> None:
    for path in sources("core", "webui"):
        if path.name != "log.py":
            assert "exec_driver_sql" not in path.read_text("utf-8")
