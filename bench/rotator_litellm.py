"""LiteLLM beside ours, in an environment of its own that only `--litellm` makes."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from bench.rotator_clients import PROMPT
from core.embedded.files import default_cache_dir

VERSION = "1.80.0"
WORKER = Path(__file__).with_name("rotator_worker.py")
INSTALL_S = 600


class LiteLLM:
    """The worker's side of the conversation."""

    def __init__(self, jobs: IO[str], results: IO[str]) -> None:
        self._jobs, self._results = jobs, results

    def do(self, job: str, count: int) -> dict[str, Any]:
        """The result of `count` calls: "whole", "streamed" or "dead"."""
        self._jobs.write(json.dumps([job, count]) + "\n")
        self._jobs.flush()
        result: dict[str, Any] = json.loads(self._results.readline())
        return result


@contextlib.contextmanager
def litellm(url: str, dead_url: str) -> Iterator[LiteLLM]:
    """A worker that is ready; its environment is made first where there is none yet."""
    python = _environment()
    # Its price list is its own copy: nothing but the loopback is asked.
    plain = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    environ = {**plain, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "NO_PROXY": "*"}
    command = [str(python), str(WORKER), url, dead_url, PROMPT]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            if process.stdout.readline().strip() != "ready":
                raise SystemExit(f"{python} can't run LiteLLM; remove that folder and try again")
            yield LiteLLM(process.stdin, process.stdout)
        finally:
            process.kill()


def _environment() -> Path:
    folder = default_cache_dir().parent / f"bench-litellm-{VERSION}"
    python = folder / "bin" / "python"
    if not (folder / "ready").exists():
        print(f"Installing LiteLLM {VERSION} (about 200 MB) into {folder}", file=sys.stderr)
        venv.create(folder, clear=True, with_pip=True)
        install = [str(python), "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
        subprocess.run([*install, f"litellm=={VERSION}"], check=True, timeout=INSTALL_S)
        (folder / "ready").touch()
    return python
