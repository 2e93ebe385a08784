"""Tokens and savings as JSON: GET /api/savings over all finished runs, and a part of each run's."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, jsonify

from core.events import Role
from core.savings import Savings, Use
from core.savings_words import HOW, summary

if TYPE_CHECKING:
    from core.savings_book import Totals
    from core.services import Services


def blueprint(services: Services) -> Blueprint:
    """The one address, over the runs of `services`."""
    savings = Blueprint("savings", __name__)

    @savings.get("/api/savings")
    def over_all() -> Response:
        return jsonify(totals_to_dict(services.savings.totals()))

    return savings


def run_to_dict(found: Savings) -> dict[str, Any]:
    """A run's tokens as JSON values; `estimate` and `saved` are null where `why` says why."""
    plain = asdict(found)
    plain["tokens"] = plain.pop("uses")
    return plain | {"saved": found.saved, "summary": summary(found)}


def totals_to_dict(totals: Totals) -> dict[str, Any]:
    """The sums as JSON values, with the rule; `saved` is null where no run has an estimate."""
    plain = asdict(totals)
    plain["tokens"] = plain.pop("uses")
    return plain | {"saved": totals.saved, "rule": " ".join(HOW)}


def by_role(uses: Iterable[Use]) -> dict[tuple[str, Role], list[Use]]:
    """{(model, role): its sums}, which are two where it was the strongest in some runs only."""
    found: dict[tuple[str, Role], list[Use]] = {}
    for use in uses:
        found.setdefault((use.model, use.role), []).append(use)
    return found
