"""The targets of the rotator's bench, and its tables."""

from __future__ import annotations

from typing import Any

RATIO_TO_REQUESTS = 1.10
PART_OF_LITELLM = 1 / 10
PICK_US = 5.0
SHARE = 0.95
LINE_S = 0.5
OVERSHOOT_MS = 50.0


def targets(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Each target with its value and whether it is met; None where it was not measured."""
    bare, ours = _row(document, "requests.Session"), _row(document, "ours")
    rows = [
        _at_most("p50, of bare requests", ours["p50"] / bare["p50"], RATIO_TO_REQUESTS),
        _at_most("time added, of LiteLLM's", _part(document, "p50"), PART_OF_LITELLM),
        _at_most("CPU added, of LiteLLM's", _part(document, "cpu"), PART_OF_LITELLM),
        _at_most("pick and release, µs", document["pick_us"], PICK_US),
        _at_most("failed calls, one of two dead", float(document["dead"][0]["failed"]), 0.0),
    ]
    for row in document["mixed"]:
        rows.append(
            {
                "target": f"{row['ratio']} speeds, of their sum",
                "value": row["share"],
                "limit": SHARE,
                "met": row["share"] >= SHARE,
            }
        )
    rows.append(_at_most("a line of 8 MiB, s", document["long_line_s"], LINE_S))
    worst = max(row["worst_ms"] for row in document["overshoot"])
    return [*rows, _at_most("past the deadline, ms", worst, OVERSHOOT_MS)]


def _row(document: dict[str, Any], client: str) -> dict[str, Any]:
    row: dict[str, Any] = next(row for row in document["times_us"] if row["client"] == client)
    return row


def _part(document: dict[str, Any], field: str) -> float | None:
    """What ours adds to bare requests, as part of what LiteLLM adds in its faster mode."""
    rows = [row for row in document["times_us"] if row["client"].startswith("LiteLLM")]
    if not rows:
        return None
    bare = _row(document, "requests.Session")[field]
    added: float = _row(document, "ours")[field] - bare
    added_by_litellm: float = min(row[field] for row in rows) - bare
    return added / added_by_litellm


def _at_most(target: str, value: float | None, limit: float) -> dict[str, Any]:
    met = None if value is None else value <= limit
    return {"target": target, "value": value, "limit": limit, "met": met}


def report(document: dict[str, Any]) -> None:
    """Print it all."""
    before, after = document["load"]
    print(f"{document['machine']}, Python {document['python']}, {document['rounds']} rounds")
    print(f"load average {before} before, {after} after")
    print(f"\n{'one call, µs':20} {'p50':>9} {'p90':>9} {'CPU':>9}  of requests' p50, CPU")
    bare = _row(document, "requests.Session")
    for row in document["times_us"]:
        times, cpu = row["p50"] / bare["p50"], row["cpu"] / bare["cpu"]
        print(
            f"{row['client']:20} {row['p50']:9.0f} {row['p90']:9.0f} {row['cpu']:9.0f}"
            f"  {times:8.2f} x {cpu:8.2f} x"
        )
    print(f"\npick and release     {document['pick_us']:.2f} µs")
    for row in document["dead"]:
        touched = f", {row['touched']} began at the dead one" if row["touched"] >= 0 else ""
        print(
            f"one of two dead      {row['client']}: {row['failed']} of {row['calls']} failed",
            end="",
        )
        print(touched)
    for row in document["mixed"]:
        print(
            f"speeds {row['ratio']}           {row['per_second']:.2f} of {row['possible']:.2f}"
            f" calls a second, {100 * row['share']:.1f} %"
        )
    print(f"a line of 8 MiB      {document['long_line_s']:.3f} s")
    for row in document["overshoot"]:
        print(f"past the deadline    {row['server']}: {row['worst_ms']:.1f} ms at worst")
    print()
    for target in document["targets"]:
        sign = {True: "✓ met    ", False: "✗ not met", None: "- not measured"}[target["met"]]
        value = "" if target["value"] is None else f"{target['value']:.3g}"
        print(f"{sign} {target['target']}: {value} (target {target['limit']:.3g})")
