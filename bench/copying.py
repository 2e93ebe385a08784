"""What guessing repeated text saves a built-in model: the same replies, without it and with.

    .venv/bin/python -m bench.copying [--model large] [--half b] [--only 1,15,29] [--limit 12]

Both servers run in this process and take turns at each task of HumanEval, asked as the product asks
for a first draft, greedily. The model must have been fetched already.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence

import requests

from bench.humaneval import HALVES, chosen
from bench.humaneval_arms import with_goal_alone
from bench.humaneval_tasks import BenchError, Task, load
from core.config.model import RunConfig
from core.embedded import LARGE, SMALL
from core.embedded.child import threads_for
from core.embedded.files import default_cache_dir
from core.embedded.server import serve
from core.stub import code_begin, code_prompt

STEP = 7  # of the chosen tasks every seventh, where no numbers are given
TIMEOUT_S = 600


def main() -> None:
    """Print a line for each reply, then all of them together."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--model", choices=("small", "large"), default="small")
    parser.add_argument("--half", choices=HALVES, help="a: even task numbers, b: odd ones")
    parser.add_argument("--only", default="", help="task numbers, separated by commas")
    parser.add_argument("--limit", type=int, help="only the first so many of the chosen tasks")
    given = parser.parse_args()
    model = SMALL if given.model == "small" else LARGE
    try:
        tasks = chosen(load().tasks, given.half, given.only, None)
    except BenchError as error:
        parser.error(error.message)
    tasks = (tasks if given.only else tasks[::STEP])[: given.limit]
    if not tasks:
        parser.error("no task is left: choose others, or a --limit above 0.")
    path = default_cache_dir() / model.file
    if not path.exists():
        parser.error(f"{model.file} is not there yet: `make run` fetches it.")
    counts = threads_for(None)
    servers = [serve(str(path), model.name, *counts, guess=guess) for guess in (False, True)]
    seconds: list[tuple[float, float]] = []
    same = 0
    for turn, task in enumerate(tasks):
        messages = _messages(task, begun=model is LARGE)
        took, texts = [0.0, 0.0], ["", ""]
        for which in (0, 1) if turn % 2 else (1, 0):  # neither is always the first
            began = time.perf_counter()
            texts[which] = _reply(servers[which].listening_address, messages)
            took[which] = time.perf_counter() - began
        same += texts[0] == texts[1]
        seconds.append((took[0], took[1]))
        print(f"{task.number}: {took[0]:.1f} s without, {took[1]:.1f} s with", flush=True)
    print(_summary(model.name, seconds, same))


def _summary(name: str, seconds: Sequence[tuple[float, float]], same: int) -> str:
    without, guessed = (sum(column) / len(seconds) for column in zip(*seconds, strict=True))
    median = statistics.median(after / before for before, after in seconds)
    return (
        f"{name}, {len(seconds)} replies, {same} the same: on average {without:.1f} s without, "
        f"{guessed:.1f} s with, {guessed / without:.2f} of the time; a reply {median:.2f} (median)"
    )


def _messages(task: Task, *, begun: bool) -> list[dict[str, str]]:
    state = with_goal_alone(task.goal)
    messages = [{"role": "user", "content": code_prompt(state, "", "")}]
    begin = code_begin(state) if begun else ""
    return [*messages, {"role": "assistant", "content": begin}] if begin else messages


def _reply(url: str, messages: list[dict[str, str]]) -> str:
    body = {"messages": messages, "temperature": 0, "max_tokens": RunConfig().max_tokens}
    answer = requests.post(f"{url}/v1/chat/completions", json=body, timeout=TIMEOUT_S)
    answer.raise_for_status()
    return str(answer.json()["choices"][0]["message"]["content"])


if __name__ == "__main__":
    main()
