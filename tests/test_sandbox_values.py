"""What crosses between a case and a candidate, and what hostile bytes can do to the case's side."""

from __future__ import annotations

import collections
import datetime
import decimal
import fractions
import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.sandbox.inside.case import Judge
from core.sandbox.inside.peer import Peer
from core.sandbox.inside.wire import Channel, Garbled, Gone

ATOMS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=10**30, max_value=10**40)
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary(max_size=40)
    | st.complex_numbers(allow_nan=False)
    | st.decimals(allow_nan=False)
    | st.fractions()
    | st.dates()
    | st.datetimes(timezones=st.none() | st.just(datetime.timezone.utc))
    | st.timedeltas()
    | st.builds(range, st.integers(-9, 9), st.integers(-9, 9), st.integers(1, 9))
    | st.just(...)
)
KEYS = st.integers() | st.text() | st.tuples(st.text(), st.integers())
VALUES = st.recursive(
    ATOMS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(KEYS, inner, max_size=4)
        | st.sets(KEYS, max_size=4)
        | st.frozensets(KEYS, max_size=4)
        | st.builds(collections.deque, st.lists(inner, max_size=3), st.none() | st.just(5))
        | st.builds(bytearray, st.binary(max_size=9))
        | st.builds(collections.Counter, st.lists(st.text(), max_size=4))
    ),
    max_leaves=12,
)


class Other(Peer):
    """The candidate's end: it keeps what it was given and does to it what it is told."""

    def __init__(self, channel: Channel) -> None:
        super().__init__(channel, judging=False)
        self.kept: list[Any] = []

    def handle(self, kind: str, arguments: tuple[Any, ...]) -> Any:
        if kind == "keep":
            self.kept.append(arguments[0])
            return arguments[0]
        if kind == "append":
            self.kept[arguments[0]].append(arguments[1])
            return None
        return self.kept[arguments[0]]


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[Judge, Other]]:
    ours, theirs = socket.socketpair()
    other = Other(Channel(theirs))
    thread = threading.Thread(target=other.serve)
    thread.start()
    yield Judge(Channel(ours)), other
    ours.close()
    thread.join(10)
    theirs.close()


def same(left: Any, right: Any) -> bool:
    """Equal, of equal types all the way down."""
    if type(left) is not type(right) or left != right:
        return False
    if isinstance(left, set | frozenset):
        return True
    if isinstance(left, dict):
        return list(left) == list(right) and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list | tuple | collections.deque):
        return all(map(same, left, right))
    return repr(left) == repr(right)


@settings(max_examples=300, deadline=None)
@given(value=VALUES)
def test_values_cross_and_come_back(pair: tuple[Judge, Other], value: Any) -> None:
    judge, other = pair
    returned = judge.request("keep", value)
    assert same(other.kept[-1], value)
    assert returned == value
    other.kept.clear()


@settings(max_examples=100, deadline=None)
@given(
    start=st.lists(st.integers(), max_size=3),
    steps=st.lists(st.tuples(st.booleans(), st.integers()), max_size=12),
)
def test_list_is_one_list_on_both_sides(
    pair: tuple[Judge, Other], start: list[int], steps: list[tuple[bool, int]]
) -> None:
    judge, other = pair
    other.kept.clear()
    ours, expected = list(start), list(start)
    assert judge.request("keep", ours) is ours
    for is_ours, number in steps:
        expected.append(number)
        if is_ours:
            ours.append(number)
        else:
            judge.request("append", 0, number)
        assert judge.request("look", 0) is ours
        assert ours == other.kept[0] == expected


def test_nested_containers_stay_shared(pair: tuple[Judge, Other]) -> None:
    judge, other = pair
    other.kept.clear()
    inner: list[Any] = []
    outer = {"a": inner, "b": inner}
    outer["self"] = outer  # type: ignore[assignment]
    judge.request("keep", outer)
    judge.request("keep", inner)
    judge.request("append", 1, 7)
    assert outer["a"] is outer["b"] is inner
    assert inner == [7]
    assert other.kept[0]["self"] is other.kept[0]


def test_subclass_does_not_cross_as_its_base(pair: tuple[Judge, Other]) -> None:
    class Same(int):
        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = int.__hash__

    judge, _ = pair
    assert judge.encode(Same(3))[0] == "h"
    assert judge.encode(True) is True
    assert judge.encode(decimal.Decimal("1.0"))[0] == "v"
    assert judge.encode(fractions.Fraction(1, 3))[0] == "v"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 40) | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=10,
)
TAGS = st.sampled_from([*"tldsyqoDCrfibcRSENvnmhHke", "nt", "=", "!", "call", "get", "op", "check"])
TAGGED = st.recursive(
    JSON, lambda inner: st.tuples(TAGS, inner, inner).map(list) | st.lists(inner, max_size=4)
)
MESSAGES = (
    st.tuples(TAGS, TAGGED, st.just([]), st.just([]), st.just([])).map(list)
    | st.tuples(TAGS, TAGGED, TAGGED, JSON, JSON).map(list)
    | JSON
)


def exchange(data: bytes) -> object:
    """What a request says whose answer is `data`."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(data)
        theirs.shutdown(socket.SHUT_WR)
        try:
            return Judge(Channel(ours)).request("get", 1, "x")
        except BaseException as error:  # what a hostile side may raise is part of the question
            return error


@settings(max_examples=400, deadline=None)
@given(message=MESSAGES)
def test_hostile_messages_are_garbled_or_data(message: Any) -> None:
    data = json.dumps(message).encode()
    found = exchange(len(data).to_bytes(4, "big") + data)
    if isinstance(found, BaseException) and not isinstance(found, Gone | Garbled):
        # An exception that was raised over there, of a class that has a name.
        assert isinstance(message, list)
        assert message[0] == "!"


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=200))
def test_hostile_bytes_are_garbled(data: bytes) -> None:
    assert isinstance(exchange(data), Gone | Garbled)


@pytest.mark.parametrize(
    "data",
    [
        ["n", "unittest.mock", "_ANY"],
        ["n", "os", "system"],
        ["n", "builtins", "exec"],
        ["n", "subprocess", "Popen"],
        ["m", "core.errors"],
        ["v", "subprocess", "Popen", "x"],
        ["v", "os", "system", "x"],
        ["H", 1],
        ["r", 4],
        ["zz"],
        [],
        [["t"]],
        {"t": 1},
    ],
)
def test_judge_takes_nothing_that_runs(data: Any) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, pytest.raises(Garbled):
        Judge(Channel(ours)).decode(data)
