"""Serve the app with gunicorn: one worker process, many threads, on a socket bound beforehand."""

from __future__ import annotations

import ctypes
import errno
import logging
import signal
import socket
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.workers.gthread import ThreadWorker

from core.config import load
from core.errors import AppError
from core.executor import take_server
from core.log import EventLog
from core.services import open_services
from webui import create_app, stop

THREADS = 100
# How long open pages may take to let go of their sockets when the server is told to stop.
GRACE_S = 3
_PR_SET_PDEATHSIG = 1


class PortInUse(AppError):
    """The address can't be bound."""

    code = "port"


def serve(config_path: Path, host: str | None, port: int | None) -> None:
    """Serve until stopped by a signal. Raises ConfigError, PortInUse, StorageError."""
    config = load(config_path)
    address = (host or config.host, config.port if port is None else port)
    # What would stop the worker is found here, before an address is promised.
    take_server(config.data_dir).release()
    EventLog(config.data_dir / "events.db").close()
    listener = _listen(*address)
    shown = f"[{address[0]}]" if ":" in address[0] else address[0]
    print(f"CodeEvolver is at http://{shown}:{listener.getsockname()[1]}", flush=True)
    _Server(config_path, address[0], listener).run()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise PortInUse(
            f"Can't listen on {host}:{port}: {error.strerror or error}. {_mend(error, port)}"
        ) from error
    listener.set_inheritable(True)
    return listener


def _mend(error: OSError, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        other = port + 1 if port < 65535 else 5001
        return f"Is CodeEvolver running already? Another port: make run PORT={other}"
    if error.errno == errno.EACCES:
        return "Ports below 1024 need more rights; take another: make run PORT=5000"
    return "Check server.host in the config, or --host."


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn ships no types
    """The worker, which tells open pages to come back later before it waits for their threads."""

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Begin to shut down."""
        stop(self.wsgi)
        super().handle_exit(sig, frame)


class _Server(BaseApplication):  # type: ignore[misc]  # gunicorn ships no types
    def __init__(self, config_path: Path, host: str, listener: socket.socket) -> None:
        self._config_path = config_path
        self._host = host
        self._listener = listener
        self._open = ExitStack()
        super().__init__()

    def load_config(self) -> None:
        settings: dict[str, Any] = {
            "bind": f"fd://{self._listener.fileno()}",
            "workers": 1,
            "worker_class": f"{Worker.__module__}.{Worker.__qualname__}",
            "threads": THREADS,
            "graceful_timeout": GRACE_S,
            "control_socket_disable": True,
            "loglevel": "warning",
            "proc_name": "codeevolver",
            "post_fork": _die_with_parent,
            "worker_exit": lambda _server, _worker: self._open.close(),
        }
        for name, value in settings.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """Called in the worker: threads and databases don't survive a fork."""
        try:
            services = self._open.enter_context(open_services(self._config_path))
        except AppError as error:
            print(error.message, file=sys.stderr, flush=True)
            # gunicorn's own status for a worker that must not be started again.
            sys.exit(3)
        return create_app(services, host=self._host, threads=THREADS)


def _die_with_parent(_server: Any, _worker: Any) -> None:
    """End with the process that the user started, even if that one is killed outright."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    logging.getLogger("dbos").setLevel(logging.WARNING)
