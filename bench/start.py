"""How long a start takes: process begun -> address printed -> first page, in seconds.

    .venv/bin/python -m bench.start [--times 5]

Beside it, in the same run: a bare interpreter, and one that only imports Flask.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import requests

ROOT = Path(__file__).resolve().parent.parent
# Nobody listens on port 9 of the loopback: the built-in model would be fetched, so it is off.
CONFIG = """
ollama: {{base_url: "http://127.0.0.1:9", models: {{generator: codellama}}}}
embedded: off
data_dir: "{folder}/data"
"""


def main() -> None:
    """Print the medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--times", type=int, default=5)
    times = parser.parse_args().times
    starts = [_start() for _ in range(times)]
    bare = statistics.median(_python("pass") for _ in range(times))
    flask = statistics.median(_python("import flask") for _ in range(times))
    address, page = (statistics.median(column) for column in zip(*starts, strict=True))
    print(f"bare interpreter {bare:.2f} s, import flask {flask:.2f} s")
    print(f"address printed {address:.2f} s, first page {page:.2f} s ({page / flask:.1f} x flask)")


def _python(code: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - began


def _start() -> tuple[float, float]:
    """Seconds to the address and to the first page, on a fresh data folder."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.yaml"
        config.write_text(CONFIG.format(folder=folder), "utf-8")
        began = time.perf_counter()
        command = [sys.executable, str(ROOT / "run.py"), "--config", str(config), "--port", "0"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            url = process.stdout.readline().split()[-1]
            printed = time.perf_counter() - began
            # The socket is bound already: this waits until the worker answers.
            requests.get(url, timeout=60).raise_for_status()
            page = time.perf_counter() - began
            process.terminate()
    return printed, page


if __name__ == "__main__":
    main()
