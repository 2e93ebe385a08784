"""Many calls with random faults, forks, and what a call costs beside a bare request."""

from __future__ import annotations

import gc
import os
import random
import statistics
import threading
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import requests
from endpoint_helpers import HELLO, MODEL, Clock, Recorder, ask, client_for, config
from fake_ollama import FakeOllama, Reply

from core.cancel import Cancel
from core.config import EndpointConfig, RoleConfig, Timeouts
from core.endpoints import Client
from core.endpoints.faults import Effect
from core.endpoints.lease import Lease, Wanted
from core.endpoints.rotation import Rotation
from core.endpoints.waiting import QueueFull
from core.errors import AppError, Cancelled

CALLS = 100_000
OUTCOMES = [None] * 12 + list(Effect)


def test_100_000_leases_with_random_faults_leave_nothing_behind() -> None:  # scenario 32
    """The rotation alone: eight threads, three endpoints with seven slots, queue included."""
    clock = Clock()
    rot = Rotation(clock, lambda: 1.0)
    slots = (1, 3, 3)
    endpoints = tuple(
        EndpointConfig(url=f"http://h{n}:1", max_inflight=cap) for n, cap in enumerate(slots)
    )
    done, lock = Counter[str](), threading.Lock()

    def work(seed: int) -> None:
        rng, mine = random.Random(seed), Counter[str]()
        want = Wanted(role="generator", model=MODEL, endpoints=endpoints, run=f"r{seed % 3}")
        for _ in range(CALLS // 8):
            clock.now += 0.5
            lease = rot.begin(want) or _wait(rot, want) or rot.insist(want, ())
            if lease is None:
                mine["none"] += 1
                continue
            mine["leases"] += 1
            rot.release(lease, rng.choice(OUTCOMES), "x", first_token_s=rng.random())
        with lock:
            done.update(mine)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert done["leases"] + done["none"] == CALLS
    assert done["leases"] > 0.9 * CALLS
    assert [rot.view(one).in_flight for one in endpoints] == [0, 0, 0]
    assert sum(rot.view(one).calls for one in endpoints) == done["leases"]
    assert rot.counters == {"generator": CALLS}
    assert rot.waiting("generator") == 0


def _wait(rot: Rotation, want: Wanted) -> Lease | None:
    try:
        return rot.wait(lambda: want, (), limit_s=0.001, cancel=Cancel(), told=lambda place: None)
    except QueueFull:
        return None


def test_calls_over_sockets_with_random_faults_leak_nothing() -> None:  # scenario 32
    rng = random.Random(7)
    faults = [
        Reply(status=500, error="x"),
        Reply(status=503, error="busy"),
        Reply(cut=True),
        Reply(text="def", cut=True),
        Reply(done=False),
        Reply(error="CUDA error"),
        Reply(raw=b"<html>"),
    ]

    def script(body: dict[str, object]) -> Reply:
        return rng.choice(faults) if rng.random() < 0.2 else Reply(text="fine")

    with (
        FakeOllama(script=script) as one,
        FakeOllama(script=script) as two,
        client_for(one.url, two.url, clock=(clock := Clock())) as client,
    ):
        outcomes = Counter[str]()
        _drive(client, clock, outcomes, 40)
        gc.collect()
        threads, sockets = threading.active_count(), _open_files()
        _drive(client, clock, outcomes, 360)
        gc.collect()
        grown = (threading.active_count() - threads, _open_files() - sockets)
        rows = client.status()[1].endpoints
        figures = client.status()[1].figures
    assert outcomes["fine"] > 200
    assert (figures.calls, figures.in_flight) == (sum(outcomes.values()), 0)
    assert [row[0].in_flight for row in rows] == [0, 0]
    assert grown[0] <= 6  # the fakes' threads, one for each kept connection
    assert grown[1] <= 12


def _drive(client: Client, clock: Clock, outcomes: Counter[str], calls: int) -> None:
    def work() -> None:
        for _ in range(calls // 4):
            clock.now += 20
            try:
                outcomes[ask(client).text] += 1
            except AppError as error:
                outcomes[type(error).__name__] += 1

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def _open_files() -> int:
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.is_dir() else 0


def test_more_calls_at_a_time_than_most_keep_their_connections(
    caplog: pytest.LogCaptureFixture,
) -> None:
    count, gate = 160, threading.Event()
    with FakeOllama(script=[Reply(text="ok", pause=gate)]) as server:
        made = config(server.url, timeouts=Timeouts())
        endpoint = EndpointConfig(url=server.url, kind="ollama", max_inflight=1024)
        entry = RoleConfig(model=MODEL, endpoints=(endpoint,))
        settings = replace(made, models={**made.models, "generator": entry})
        client = Client(lambda: settings)
        threads = [threading.Thread(target=ask, args=(client,)) for _ in range(count)]
        for thread in threads:
            thread.start()
        assert server.wait(lambda: len(server.chats) == count, 60)
        gate.set()
        for thread in threads:
            thread.join()
        client.close()
    assert "pool is full" not in caplog.text


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_process_has_threads_and_sockets_of_its_own() -> None:  # scenario 30
    with FakeOllama() as server, client_for(server.url) as client:
        client.start()
        assert ask(client).text == "ok"
        before = server.connections
        child = os.fork()
        if child == 0:
            status = 1
            try:
                good = ask(client).text == "ok" and client.counters == {"generator": 1}
                names = {thread.name for thread in threading.enumerate()}
                status = 0 if good and {"deadlines", "endpoints"} <= names else 2
            finally:
                os._exit(status)
        _, result = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(result) == 0
        assert server.connections > before
        assert ask(client).text == "ok"  # the parent's connection was left alone
        assert client.counters == {"generator": 2}


def test_a_cancel_in_a_full_house_frees_its_slot() -> None:  # scenario 26
    gate = threading.Event()
    made = config("http://127.0.0.1:1")
    with FakeOllama(script=[Reply(text="0123456789" * 4, pause=gate, free=1), "next"]) as server:
        entry = RoleConfig(
            model=MODEL, endpoints=(EndpointConfig(url=server.url, kind="ollama", max_inflight=1),)
        )
        settings = replace(made, models={**made.models, "generator": entry})
        client = Client(lambda: settings)
        cancel, watcher = Cancel(), Recorder()
        thread = threading.Thread(target=_cancelled, args=(client, watcher, cancel))
        thread.start()
        assert watcher.arrived.wait(5)
        began = time.monotonic()
        cancel.set()
        assert server.wait(lambda: server.cancelled, 5)
        assert time.monotonic() - began < 0.1
        assert ask(client).text == "next"
        thread.join()
        client.close()


def _cancelled(client: Client, watcher: Recorder, cancel: Cancel) -> None:
    with pytest.raises(Cancelled):
        ask(client, watcher=watcher, cancel=cancel)


def test_taking_and_giving_back_a_lease_costs_microseconds() -> None:  # scenario 31
    rot = Rotation(time.monotonic, lambda: 1.0)
    endpoints = tuple(EndpointConfig(url=f"http://h{n}:1") for n in range(3))
    want = Wanted(role="generator", model=MODEL, endpoints=endpoints)
    rounds = []
    for _ in range(5):
        began = time.perf_counter()
        for _ in range(2000):
            lease = rot.begin(want)
            assert lease is not None
            rot.release(lease, first_token_s=0.1)
        rounds.append((time.perf_counter() - began) / 2000)
    assert min(rounds) < 100e-6  # bench/ has the exact figure


def test_a_call_costs_little_more_than_a_bare_request() -> None:  # scenario 31
    """Interleaved, so that the machine's moods hit both; a wide gate, as the fake dominates."""
    with FakeOllama() as server, client_for(server.url) as client:
        session = requests.Session()
        session.trust_env = False
        body = {"model": MODEL, "messages": [], "stream": True}
        ours, bare = list[float](), list[float]()
        for _ in range(150):
            began = time.perf_counter()
            ask(client, request=HELLO)
            middle = time.perf_counter()
            assert session.post(f"{server.url}/api/chat", json=body).content
            ours.append(middle - began)
            bare.append(time.perf_counter() - middle)
        session.close()
    assert statistics.median(ours) < 1.6 * statistics.median(bare) + 0.0005
