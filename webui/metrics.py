"""GET /metrics: what Prometheus scrapes, read from the services at that moment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from flask import Blueprint, Response
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from webui.figures import labelled
from webui.savings import by_role

if TYPE_CHECKING:
    from core.endpoints import EndpointStatus, Figures
    from core.savings_book import Totals
    from core.services import Services


def blueprint(services: Services) -> Blueprint:
    """The one address; its registry holds nothing but what is read from `services`."""
    metrics = Blueprint("metrics", __name__)
    registry = CollectorRegistry()
    registry.register(_FromServices(services))

    @metrics.get("/metrics")
    def scrape() -> Response:
        return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)

    return metrics


class _FromServices(Collector):
    def __init__(self, services: Services) -> None:
        self._services = services

    def describe(self) -> list[Metric]:
        return []  # else registering would collect

    def collect(self) -> Iterator[Metric]:
        yield self._calls()
        yield from self._endpoints()
        yield self._states()
        known = {url: one.figures for url, one in sorted(self._known_endpoints().items())}
        yield from _figures("endpoint", known)
        roles = {one.role: one for one in self._services.client.status()}
        yield from _figures("role", {role: one.figures for role, one in roles.items()})
        yield _waiting({role: one.waiting for role, one in roles.items()})
        yield self._runs()
        yield from _tokens(self._services.savings.totals())
        yield from self._rung()

    def _calls(self) -> Metric:
        family = CounterMetricFamily(
            "codeevolver_calls", "Model calls sent, by role.", labels=["role"]
        )
        for role, count in self._services.client.counters.items():
            family.add_metric([role], count)
        return family

    def _endpoints(self) -> Iterator[Metric]:
        label = ["endpoint"]
        calls = CounterMetricFamily("codeevolver_endpoint_calls", "Calls sent.", labels=label)
        failures = CounterMetricFamily(
            "codeevolver_endpoint_failures", "Calls that failed.", labels=label
        )
        in_flight = GaugeMetricFamily(
            "codeevolver_endpoint_in_flight", "Calls begun and not ended.", labels=label
        )
        reachable = GaugeMetricFamily(
            "codeevolver_endpoint_reachable", "1 when it answered last time, else 0.", labels=label
        )
        for url, status in sorted(self._known_endpoints().items()):
            calls.add_metric([url], status.calls)
            failures.add_metric([url], status.failures)
            in_flight.add_metric([url], status.in_flight)
            if status.reachable is not None:
                reachable.add_metric([url], float(status.reachable))
        yield from (calls, failures, in_flight, reachable)

    def _states(self) -> Metric:
        family = GaugeMetricFamily(
            "codeevolver_endpoint_state",
            "1 for the state that the endpoint is in; see the endpoints page for the reason.",
            labels=["endpoint", "state"],
        )
        for url, status in sorted(self._known_endpoints().items()):
            family.add_metric([url, status.state], 1)
        return family

    def _known_endpoints(self) -> dict[str, EndpointStatus]:
        roles = self._services.client.status()
        every = labelled(roles)
        return {label: endpoint for label, (_, endpoint, _, _) in every}

    def _runs(self) -> Metric:
        family = GaugeMetricFamily(
            "codeevolver_runs", "Runs in the log, by outcome.", labels=["outcome"]
        )
        for outcome, count in self._services.log.outcomes().items():
            family.add_metric([outcome], count)
        return family

    def _rung(self) -> Iterator[Metric]:
        rung = self._services.sandbox.rung
        family = GaugeMetricFamily(
            "codeevolver_sandbox_safe", "1 when generated code is isolated.", labels=["rung"]
        )
        family.add_metric([rung.number], float(rung.safe))
        runs = GaugeMetricFamily(
            "codeevolver_sandbox_runs_code",
            "1 when generated code is run, 0 when it is refused.",
            labels=["rung", "name"],
        )
        runs.add_metric([rung.number, rung.name], float(rung.runs))
        lacks = GaugeMetricFamily(
            "codeevolver_sandbox_lacks", "What the rung does not cover.", labels=["what"]
        )
        for what in rung.lacks:
            lacks.add_metric([what], 1)
        yield from (family, runs, lacks)


def _figures(what: str, known: Mapping[str, Figures]) -> Iterator[Metric]:
    """Of each endpoint, or each role: what its calls took and how they failed."""
    begin = f"codeevolver_{what}"
    errors = CounterMetricFamily(
        f"{begin}_errors", "Calls that failed, by class.", labels=[what, "class"]
    )
    took = GaugeMetricFamily(
        f"{begin}_seconds",
        "What the last 200 calls that served took, to the first token and whole.",
        labels=[what, "phase", "quantile"],
    )
    speed = GaugeMetricFamily(
        f"{begin}_tokens_per_second", "Speed of the last 200 replies.", labels=[what]
    )
    ended = CounterMetricFamily(f"{begin}_calls_ended", "Calls that ended.", labels=[what])
    under_way = GaugeMetricFamily(f"{begin}_calls_under_way", "Calls under way.", labels=[what])
    for key, one in known.items():
        ended.add_metric([key], one.calls)
        under_way.add_metric([key], one.in_flight)
        for word, count in sorted(one.errors.items()):
            errors.add_metric([key, word], count)
        if one.points:
            took.add_metric([key, "first_token", "0.5"], one.first_token_p50_s)
            took.add_metric([key, "first_token", "0.95"], one.first_token_p95_s)
            took.add_metric([key, "whole", "0.5"], one.seconds_p50)
            took.add_metric([key, "whole", "0.95"], one.seconds_p95)
            speed.add_metric([key], one.tokens_per_s)
    yield from (ended, under_way, errors, took, speed)


def _waiting(waiting: Mapping[str, int]) -> Metric:
    family = GaugeMetricFamily(
        "codeevolver_role_waiting", "Calls that wait for an endpoint.", labels=["role"]
    )
    for role, count in waiting.items():
        family.add_metric([role], count)
    return family


def _tokens(totals: Totals) -> Iterator[Metric]:
    """Of finished runs alone, so that no counter ever falls."""
    labels = ["model", "role"]
    tokens = CounterMetricFamily(
        "codeevolver_tokens",
        "Tokens that models read and wrote in finished runs, as their servers counted them.",
        labels=[*labels, "direction"],
    )
    uncounted = CounterMetricFamily(
        "codeevolver_uncounted_requests",
        "Requests in finished runs whose tokens are not known, and so in no sum.",
        labels=labels,
    )
    for key, uses in by_role(totals.uses).items():
        tokens.add_metric([*key, "read"], sum(use.tokens_in for use in uses))
        tokens.add_metric([*key, "written"], sum(use.tokens_out for use in uses))
        uncounted.add_metric([*key], sum(use.uncounted for use in uses))
    strongest = GaugeMetricFamily(
        "codeevolver_strongest_tokens",
        "Of finished runs with an estimate: tokens that the strongest model took, and alone would "
        "have taken, by estimate.",
        labels=["what"],
    )
    strongest.add_metric(["used"], totals.used)
    strongest.add_metric(["alone"], totals.estimate)
    yield from (tokens, uncounted, strongest)
