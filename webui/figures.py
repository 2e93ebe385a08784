"""What the endpoints page shows of each endpoint and role: plain values and charts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from core.config import Strategy
from webui import present, status

if TYPE_CHECKING:
    from core.endpoints import EndpointStatus, Figures, Point, RoleStatus
    from core.endpoints.pull import Pulls
    from core.qualified import Qualifier

    # A role, one of its endpoints, whether that has the role's model, and what mends it.
    Entry: TypeAlias = tuple[RoleStatus, EndpointStatus, bool | None, str]

BAR, HEIGHT, BARS = 4, 32, 60
STRATEGIES: Mapping[Strategy, str] = {
    "round_robin": "strictly in turn",
    "weighted": "in turn, by weight",
    "least_inflight": "to the least busy",
    "latency": "to the quickest",
    "warm_first": "to one that has the model in memory",
}
_STATES = {
    "suspect": ("failing", "failed"),
    "open": ("passed over", "failed"),
    "half_open": ("being tried again", "running"),
    "busy": ("busy", "running"),
    "rate_limited": ("rate limited", "running"),
    "misconfigured": ("needs mending", "failed"),
    "draining": ("draining", "running"),
    "disabled": ("disabled", ""),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """A model that roles want of an endpoint; the others as in RoleStatus."""

    model: str
    roles: tuple[str, ...]
    has_model: bool | None
    mend: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """An endpoint, whichever roles have it."""

    endpoint: EndpointStatus
    uses: tuple[Use, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One call in a chart."""

    x: int
    y: float
    height: float
    failed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """The last calls as bars; `title` says the same in words."""

    bars: tuple[Bar, ...]
    title: str
    width: int = BAR * BARS
    height: int = HEIGHT


def labelled(roles: Sequence[RoleStatus]) -> Iterator[tuple[str, Entry]]:
    """Each endpoint of each role with what tells it from the others: its URL, with a number where
    a URL is there several times, with different keys."""
    labels: dict[str, str] = {}
    for known in roles:
        for endpoint, has_model, mend in known.endpoints:
            same = [one for one in labels if one.partition(" ")[0] == endpoint.url]
            number = f" ({len(same) + 1})" if same else ""
            label = labels.setdefault(endpoint.id, f"{endpoint.url}{number}")
            yield label, (known, endpoint, has_model, mend)


def cards(roles: Sequence[RoleStatus]) -> tuple[Card, ...]:
    """Each endpoint once, in the order met."""
    found: dict[str, tuple[EndpointStatus, dict[str, Use]]] = {}
    for label, (known, endpoint, has_model, mend) in labelled(roles):
        _, uses = found.setdefault(label, (endpoint, {}))
        others = uses[known.model].roles if known.model in uses else ()
        uses[known.model] = Use(
            model=known.model, roles=(*others, known.role), has_model=has_model, mend=mend
        )
    return tuple(Card(endpoint=one, uses=tuple(uses.values())) for one, uses in found.values())


def state(endpoint: EndpointStatus) -> tuple[str, str]:
    """A word for people, and the kind of badge it goes on."""
    if endpoint.state in _STATES:
        return _STATES[endpoint.state]
    if endpoint.reachable is None:
        return ("ready", "passed") if endpoint.state == "healthy" else ("not asked yet", "")
    return ("ready", "passed") if endpoint.reachable else ("does not answer", "failed")


def service(endpoint: EndpointStatus, has_model: bool | None) -> tuple[str, str]:
    """The same, for a model of it: what has to be mended first is told."""
    if endpoint.state in ("draining", "disabled", "misconfigured"):
        return _STATES[endpoint.state]
    if endpoint.reachable is False:
        return "does not answer", "failed"
    return ("model missing", "failed") if has_model is False else state(endpoint)


def offer(
    id: str,
    model: str,
    has_model: bool | None,
    mend: str,
    pulls: Pulls,
    qualifier: Qualifier,
) -> Literal["pull", "measure", ""]:
    """What can be done about a model at an endpoint. What is under way or was found stays in sight
    while the server does not answer."""
    pull = pulls.state(id, model)
    if pull is not None and (pull.running or (pull.phase == "failed" and not has_model)):
        return "pull"
    if has_model is False:
        return "pull" if mend.startswith("ollama pull ") else ""
    if has_model or qualifier.running(id, model) or qualifier.book.of(id, model):
        return "measure"
    return ""


def told(message: str) -> str:
    """As a sentence; an address that it begins with stays as it is."""
    return status.sentence(message if message.startswith("http") else present.capital(message))


def seconds(value: float) -> str:
    """Like "7 ms", "0.42 s", "8.1 s" or "95 s"; a dash when unknown."""
    if value <= 0:
        return "–"
    if value < 0.1:
        return f"{max(1, round(value * 1000))} ms"
    if value < 1:
        return f"{value:.2f} s"
    return f"{value:.1f} s" if value < 10 else f"{value:.0f} s"


def errors(figures: Figures) -> str:
    """Like "refused 2, busy 1", the most frequent first."""
    counted = sorted(figures.errors.items(), key=lambda one: (-one[1], one[0]))
    return ", ".join(f"{word.replace('_', ' ')} {count}" for word, count in counted)


def chart(points: Sequence[Point]) -> Chart:
    """A bar for each of the last calls, as high as it took long; failed ones in full height."""
    last = points[-BARS:]
    longest = max((point.seconds for point in last if not point.error), default=0.0)
    bars = []
    for number, point in enumerate(last):
        share = 1.0 if point.error or not longest else point.seconds / longest
        height = round(max(2.0, share * HEIGHT), 1)
        x = (BARS - len(last) + number) * BAR
        bars.append(Bar(x=x, y=HEIGHT - height, height=height, failed=bool(point.error)))
    return Chart(bars=tuple(bars), title=_title(last))


def _title(points: Sequence[Point]) -> str:
    served = [point.seconds for point in points if not point.error]
    failed = len(points) - len(served)
    words = f"The last {len(points)} calls" if len(points) != 1 else "The last call"
    parts = []
    if served:
        parts.append(f"{len(served)} served in {seconds(min(served))} to {seconds(max(served))}")
    if failed:
        parts.append(f"{failed} failed")
    return f"{words}: {', '.join(parts)}" if parts else "No calls yet"
