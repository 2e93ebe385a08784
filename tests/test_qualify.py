"""Measuring endpoints: right answers counted, speed, a minute at most, bad serving unmasked."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from endpoint_helpers import client_for, config, dead_url
from fake_ollama import FakeOllama, Reply
from web_services import shared_sandbox

from core.cancel import Cancel
from core.config import EndpointConfig
from core.errors import BadInput, Cancelled
from core.qualified import Qualifier
from core.qualify import measure
from core.qualify_book import Book
from core.qualify_result import Qualification, summary
from core.qualify_tasks import PASSWORD, answer, tasks
from core.terminal import check

MODEL = "codellama"
MIDDLE = "```python\ndef middle(text):\n    return text[1:-1]\n```"
STREAKS = """Here:
```python
def streaks(word):
    found = []
    for letter in word:
        if found and found[-1][0] == letter:
            found[-1] = (letter, found[-1][1] + 1)
        else:
            found.append((letter, 1))
    return found
```"""
RIGHT = {
    "PINEAPPLE": "PINEAPPLE.",
    "from 3 to 7": "3,4,5,6,7",
    "JSON": '```json\n{"city": "Oslo", "count": 4}\n```',
    "middle": MIDDLE,
    "streaks": STREAKS,
    "password": f"The password is {PASSWORD}.",
}


def able(body: dict[str, Any]) -> Reply:
    """Knows all answers, and only what the prompt holds of the password."""
    prompt = body["messages"][-1]["content"]
    word = next(word for word in RIGHT if word in prompt)
    return Reply(text=RIGHT[word], chunk=8, pause=0.01, free=1)


def chatty(body: dict[str, Any]) -> Reply:
    """Served with a wrong template: it goes on and on."""
    reply = able(body)
    return Reply(text=f"{reply.text}<|im_end|>\n<|im_start|>user", chunk=40)


def found(url: str, model: str = MODEL, **more: Any) -> Qualification:
    fields: dict[str, Any] = {
        "at": 1000.0,
        "passed": 6,
        "asked": 6,
        "failed": (),
        "first_token_s": 0.4,
        "tokens_per_s": 38.2,
        "seconds": 9.0,
    }
    return Qualification(url=url, model=model, **{**fields, **more})


def run(url: str, **more: Any) -> Qualification:
    endpoint = EndpointConfig(url=url, drain=True)
    return measure(config(url), endpoint, MODEL, shared_sandbox(), cancel=Cancel(), **more)


def test_a_good_endpoint_passes_all_and_its_speed_is_known() -> None:
    steps: list[tuple[int, int]] = []
    with FakeOllama(script=able) as server:
        one = run(server.url, told=lambda step, of: steps.append((step, of)), now=lambda: 7.0)
        assert max(len(body["messages"][-1]["content"]) for body in server.chats) > 10_000
    assert (one.passed, one.asked, one.failed, one.note, one.at) == (6, 6, (), "", 7.0)
    assert one.tokens_per_s > 0
    assert 0 < one.first_token_s < 1
    assert steps == [(number, 6) for number in range(1, 7)]


def test_a_wrong_template_shows() -> None:
    with FakeOllama(script=chatty) as server:
        one = run(server.url)
    assert set(one.failed) >= {"one word", "exact format", "JSON"}


def test_a_minute_at_most() -> None:
    with FakeOllama(script=[Reply(text="PINEAPPLE"), Reply(hang="headers")]) as server:
        began = time.monotonic()
        one = run(server.url, limit_s=0.5)
    assert time.monotonic() - began < 3
    assert (one.passed, one.asked, one.note) == (1, 1, "stopped after 0 s")


def test_an_endpoint_that_is_down_is_not_measured_and_nobody_stands_in() -> None:
    one = run(dead_url())
    assert one.asked == 0
    assert one.note.startswith("Can't reach")
    assert summary(one, one.at).startswith("not measured: ")


def test_a_stop_stops_it() -> None:
    cancel = Cancel()
    cancel.set()
    with FakeOllama() as server, pytest.raises(Cancelled):
        measure(
            config(server.url),
            EndpointConfig(url=server.url),
            MODEL,
            shared_sandbox(),
            cancel=cancel,
        )


@pytest.mark.parametrize(
    ("age_s", "words"),
    [(0, "just now"), (61, "1 minute ago"), (7300, "2 hours ago"), (2 * 86400, "2 days ago")],
)
def test_it_is_told_in_a_line(age_s: float, words: str) -> None:
    told = summary(found("http://a"), 1000.0 + age_s)
    assert told == f"38 tokens/s, first token 0.4 s, 6 of 6, {words}"


def test_a_first_token_in_no_time_is_told_in_milliseconds() -> None:
    told = summary(found("http://a", first_token_s=0.004), 1000.0)
    assert "first token 4 ms, " in told


@pytest.mark.parametrize("text", ["x", '"x".', "```\nx\n```", "<think>y</think> x"])
def test_answers_are_freed_of_what_surrounds_them(text: str) -> None:
    assert answer(text) == "x"


def test_the_long_text_fits_the_context() -> None:
    assert len(tasks(1024)[-1].prompt) < 1024 * 3.5
    assert tasks(8192)[-1].prompt.count(PASSWORD) == 1


def test_check_measures_each_endpoint_and_model_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "config.yaml"
    with FakeOllama(script=able) as good, FakeOllama(script=chatty) as bad:
        urls = f'["{good.url}", "{bad.url}"]'
        path.write_text(
            f"ollama: {{models: {{overseer: {{model: {MODEL}, endpoints: {urls}}}}}}}\n"
            f"embedded: off\ndata_dir: {tmp_path / 'data'}\n"
        )
        assert check(path, qualify=True) == 0
    told = capsys.readouterr().out
    assert told.count(f"Measuring {MODEL} at") == 2
    assert "6 of 6, just now" in told
    assert "not passed: one word, exact format, JSON" in told
    assert f"! Answers worse than {good.url}" in told
    assert Book(tmp_path / "data" / "qualifications.json").of(bad.url, MODEL) is not None


def test_a_task_waits_for_its_place_among_the_calls_of_the_endpoint(tmp_path: Path) -> None:
    with FakeOllama(script=able) as server, client_for(server.url) as client:
        endpoint = EndpointConfig(url=server.url, max_inflight=1)
        qualifier = Qualifier(
            lambda: config(server.url), client, shared_sandbox(), tmp_path / "q.json"
        )
        held = client.slot(endpoint, MODEL, limit_s=5, cancel=Cancel())
        with held:
            qualifier.start(endpoint, MODEL)
            assert not server.wait(lambda: server.chats, 0.3)
            waiting = qualifier.running(server.url, MODEL)
            assert waiting is not None
            assert waiting.step == 1
        assert server.wait(lambda: len(server.chats) == 6, 60)
        qualifier.close()
        assert client.status()[1].endpoints[0][0].in_flight == 0
        assert client.counters == {}


def test_an_endpoint_that_stays_full_is_told(tmp_path: Path) -> None:
    with FakeOllama(script=able) as server, client_for(server.url) as client:
        endpoint = EndpointConfig(url=server.url, max_inflight=1)
        with client.slot(endpoint, MODEL, limit_s=5, cancel=Cancel()):
            one = measure(
                config(server.url),
                endpoint,
                MODEL,
                shared_sandbox(),
                cancel=Cancel(),
                slot=lambda at, stop: client.slot(at, MODEL, limit_s=0.01, cancel=stop),
            )
        assert server.chats == []
    assert (one.asked, one.note) == (
        0,
        f"{server.url} was full for 0 s: it takes 1 of our calls at a time",
    )


def test_one_measurement_at_a_time_for_an_endpoint(tmp_path: Path) -> None:
    with (
        FakeOllama(script=[Reply(hang="headers")]) as server,
        client_for(server.url) as client,
    ):
        endpoint = EndpointConfig(url=server.url)
        qualifier = Qualifier(
            lambda: config(server.url), client, shared_sandbox(), tmp_path / "q.json"
        )
        assert qualifier.start(endpoint, MODEL) == qualifier.start(endpoint, f"{MODEL}:latest")
        with pytest.raises(BadInput):
            qualifier.start(endpoint, "tinyllama")
        with pytest.raises(BadInput):
            qualifier.start(EndpointConfig(url="http://127.0.0.1:9", disabled=True), MODEL)
        assert qualifier.running(server.url, MODEL) is not None
        qualifier.close()
    assert qualifier.running(server.url, MODEL) is None
    assert qualifier.book.of(server.url, MODEL) is None
