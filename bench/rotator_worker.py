"""LiteLLM's Router on the same servers; runs in an environment of its own, see rotator_litellm.

    python rotator_worker.py URL DEAD_URL PROMPT

Reads a job a line (["whole", 50], ["streamed", 50] or ["dead", 200]), writes its result as JSON.
"""

from __future__ import annotations

import importlib
import json
import logging
import sys
import time
from typing import Any

NAME = "generator"
DEAD_LIMIT_S = 30.0


def main() -> None:
    """Carry out jobs until standard input ends."""
    url, dead_url, prompt = sys.argv[1:]
    logging.disable(logging.CRITICAL)
    alone, pair = _router([url]), _router([url, dead_url])
    messages = [{"role": "user", "content": prompt}]
    print("ready", flush=True)
    for text in sys.stdin:
        job, count = json.loads(text)
        if job == "dead":
            result = _dead(pair, messages, count)
        else:
            result = _times(alone, messages, count, stream=job == "streamed")
        print(json.dumps(result), flush=True)


def _router(urls: list[str]) -> Any:
    """Two retries each, so up to three tries of a call."""
    options = {"num_predict": 1024, "temperature": 0.2, "num_ctx": 8192, "keep_alive": "10m"}
    places = [{"model": "ollama_chat/llama3", "api_base": url, **options} for url in urls]
    models = [{"model_name": NAME, "litellm_params": place} for place in places]
    # Not an import statement: the linters' environment has no LiteLLM.
    return importlib.import_module("litellm").Router(model_list=models, num_retries=2)


def _call(router: Any, messages: list[dict[str, str]], *, stream: bool) -> str:
    answer = router.completion(model=NAME, messages=messages, stream=stream)
    if stream:
        return "".join(part.choices[0].delta.content or "" for part in answer)
    return str(answer.choices[0].message.content)


def _times(
    router: Any, messages: list[dict[str, str]], count: int, *, stream: bool
) -> dict[str, Any]:
    seconds = []
    for _ in range(2):
        _call(router, messages, stream=stream)
    cpu_s = time.process_time()
    for _ in range(count):
        began = time.perf_counter()
        assert _call(router, messages, stream=stream)
        seconds.append(time.perf_counter() - began)
    return {"seconds": seconds, "cpu_s": time.process_time() - cpu_s}


def _dead(router: Any, messages: list[dict[str, str]], count: int) -> dict[str, Any]:
    calls = failed = 0
    ends = time.monotonic() + DEAD_LIMIT_S
    while calls < count and time.monotonic() < ends:
        calls += 1
        try:
            _call(router, messages, stream=False)
        except Exception:
            failed += 1
    return {"calls": calls, "failed": failed}


if __name__ == "__main__":
    main()
