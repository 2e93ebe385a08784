"""What the endpoints page says of an endpoint, in words and bars."""

from __future__ import annotations

from typing import Any

import pytest

from core.endpoints import EndpointStatus, Figures, Point
from webui import figures


@pytest.mark.parametrize(
    ("known", "has_model", "word"),
    [
        ({"state": "misconfigured", "reachable": False}, None, "needs mending"),
        ({"state": "open", "reachable": False}, None, "does not answer"),
        ({"state": "healthy", "reachable": True}, False, "model missing"),
        ({"state": "half_open", "reachable": True}, True, "being tried again"),
        ({"state": "healthy", "reachable": True}, True, "ready"),
        ({"state": "disabled", "reachable": False}, False, "disabled"),
    ],
)
def test_a_role_is_told_what_to_mend_first(
    known: dict[str, Any], has_model: bool | None, word: str
) -> None:
    fields = {"kind": "ollama", "models": (), "message": "", "in_flight": 0, "cooldown_s": 0.0}
    one = EndpointStatus(id="a", url="a", calls=0, failures=0, **fields, **known)
    assert figures.service(one, has_model)[0] == word


def test_a_chart_says_in_words_what_it_draws() -> None:
    points = [
        Point(at=1.0, seconds=0.5),
        Point(at=2.0, seconds=2.0),
        Point(at=3.0, seconds=9.0, error="cut"),
    ]
    drawn = figures.chart(points)
    assert drawn.title == "The last 3 calls: 2 served in 0.50 s to 2.0 s, 1 failed"
    assert [(bar.height, bar.failed) for bar in drawn.bars] == [(8, False), (32, False), (32, True)]
    assert [bar.x for bar in drawn.bars] == [228, 232, 236]
    assert figures.chart(points * 50).bars[0].x == 0
    assert figures.chart([]).title == "No calls yet"
    assert figures.errors(Figures(errors={"cut": 1, "refused": 3})) == "refused 3, cut 1"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0, "–"),
        (0.0004, "1 ms"),
        (0.0421, "42 ms"),
        (0.421, "0.42 s"),
        (8.13, "8.1 s"),
        (95.2, "95 s"),
    ],
)
def test_seconds_are_short(value: float, words: str) -> None:
    assert figures.seconds(value) == words
