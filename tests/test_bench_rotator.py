"""The rotator's bench and its soak, with tiny numbers: that they run and judge, not how fast."""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import pytest

from bench import rotator, soak
from bench.rotator_report import report, targets
from bench.rotator_samples import Sample, flat
from bench.soak_endings import EXPECTED, NOBODY, ending, served_share
from core.errors import Cancelled, NoEndpointLeft, StreamInterrupted

# Checks of the soak that mean something only after many calls.
NOT_YET = {"rss flat", "sockets flat", "threads flat", "served, of what could be"}
TINY = argparse.Namespace(rounds=2, calls=3, seconds=0.5, times=1, litellm=False)


def sample(rss: float) -> Sample:
    return Sample(calls=1, seconds=1.0, in_flight=0, threads=3, sockets=4, rss=rss)


def test_the_bench_measures_every_part_on_live_servers(capsys: pytest.CaptureFixture[str]) -> None:
    document = rotator.measure(TINY)
    assert [row["client"] for row in document["times_us"]] == [
        "raw socket",
        "requests.Session",
        "ours",
    ]
    assert all(0 < row["p50"] <= row["p90"] for row in document["times_us"])
    assert document["dead"][0]["failed"] == 0
    assert {row["server"] for row in document["overshoot"]} == {"hang", "drip-head", "drip-body"}
    assert {target["met"] for target in document["targets"]} <= {True, False, None}
    report(document)
    assert "pick and release" in capsys.readouterr().out


def test_a_target_that_was_not_measured_is_neither_met_nor_missed() -> None:
    row = {"p50": 100.0, "cpu": 100.0}
    document = {
        "times_us": [{"client": name, **row} for name in ("requests.Session", "ours")],
        "pick_us": 9.0,
        "dead": [{"failed": 0}],
        "mixed": [{"ratio": "1:3", "share": 0.94}],
        "long_line_s": 0.1,
        "overshoot": [{"worst_ms": 51.0}],
    }
    met = {target["target"]: target["met"] for target in targets(document)}
    assert met["p50, of bare requests"] is True
    assert met["time added, of LiteLLM's"] is None
    assert met["1:3 speeds, of their sum"] is False
    assert met["pick and release, µs"] is False
    assert met["past the deadline, ms"] is False


def test_a_short_soak_keeps_replies_apart_and_gives_everything_back() -> None:
    document = soak.soak(calls=300, threads=8, seconds=60.0, seed=7)
    checks = {
        check["check"]: check for check in document["checks"] if check["check"] not in NOT_YET
    }
    assert all(check["met"] for check in checks.values()), checks
    assert sum(document["outcomes"].values()) == 300
    assert document["outcomes"]["served"] > 150
    assert document["waited"] > 0


@dataclass(frozen=True)
class Tried:
    error: str
    endpoint: str = "http://a:1"
    message: str = "x"


@pytest.mark.parametrize(
    ("error", "name", "expected"),
    [
        (Cancelled(), "cancelled", True),
        (StreamInterrupted("http://a:1", "cut", "x", "rep"), "interrupted: cut", True),
        (StreamInterrupted("http://a:1", "total_timeout", "x", "rep"), None, False),
        (NoEndpointLeft("triage", (Tried("refused"), Tried("model_missing"))), NOBODY, True),
        (NoEndpointLeft("triage", (Tried("refused"), Tried("cut"))), "gave up: cut", True),
        (NoEndpointLeft("triage", (Tried("queue_timeout"),)), "gave up: queue_timeout", False),
        (KeyError("slot"), "KeyError('slot')", False),
    ],
)
def test_the_soak_knows_which_ends_its_faults_explain(
    error: Exception, name: str | None, expected: bool
) -> None:
    assert name in (ending(error), None)
    assert (ending(error) in EXPECTED) is expected


def test_the_soaks_floor_leaves_out_what_callers_ended_and_nobody_could_serve() -> None:
    assert served_share({"served": 95, "cancelled": 50, NOBODY: 9, "interrupted: cut": 5}) == 0.95


@pytest.mark.parametrize(("last", "met"), [(20.0, True), (23.0, True), (30.0, False)])
def test_growth_is_told_from_noise(last: float, met: bool) -> None:
    samples = [sample(rss) for rss in (5.0, 20.0, 20.0, 20.0, 20.0, 20.0, last, last)]
    assert flat(samples, "rss", 4.0)["met"] is met
