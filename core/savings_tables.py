"""The tables that keep a small summary of each finished run, and what is asked of them.

They stand in the log's database; the log's own tables are only read.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from core import events as ev
from core.savings import Savings, Use

# Of the rule in core.savings: summaries made by another one are made again.
RULE = 1
_KINDS = (
    ev.PromptWritten,
    ev.RequestSent,
    ev.EndpointFailed,
    ev.ReplyReceived,
    ev.CallFailed,
    ev.RunResumed,
    ev.RunFinished,
)
_LONG_TEXTS = ("text", "code")  # not needed to count tokens

_runs = sa.table("runs", sa.column("id"), sa.column("created_at"), sa.column("open"))
_events = sa.table("events", *map(sa.column, ("run_id", "seq", "at", "kind", "body")))

_metadata = sa.MetaData()
_savings = sa.Table(
    "savings",
    _metadata,
    sa.Column("run_id", sa.String, primary_key=True),
    sa.Column("rule", sa.Integer, nullable=False),
    sa.Column("outcome", sa.String, nullable=False),
    sa.Column("why", sa.String, nullable=False),
    sa.Column("estimate", sa.Integer),
    sa.Column("used", sa.Integer, nullable=False),
    sa.Column("at_most", sa.Boolean, nullable=False),
)
_uses = sa.Table(
    "savings_uses",
    _metadata,
    sa.Column("run_id", sa.String, primary_key=True),
    sa.Column("model", sa.String, primary_key=True),
    sa.Column("role", sa.String, primary_key=True),
    sa.Column("strong", sa.Boolean, nullable=False),
    sa.Column("calls", sa.Integer, nullable=False),
    sa.Column("uncounted", sa.Integer, nullable=False),
    sa.Column("tokens_in", sa.Integer, nullable=False),
    sa.Column("tokens_out", sa.Integer, nullable=False),
)


def make(connection: Connection) -> None:
    """Make the tables if they are missing, and forget what another rule summed up.

    Several processes may do so at once.
    """
    for table in _metadata.sorted_tables:
        connection.execute(sa.schema.CreateTable(table, if_not_exists=True))
    other = sa.select(_savings.c.run_id).where(_savings.c.rule != RULE)
    connection.execute(_uses.delete().where(_uses.c.run_id.in_(other)))
    connection.execute(_savings.delete().where(_savings.c.rule != RULE))


def left(connection: Connection, limit: int) -> Sequence[str]:
    """Up to `limit` ids of finished runs without a summary, the newest first."""
    summed = sa.select(_savings.c.run_id)
    statement = sa.select(_runs.c.id).where(sa.not_(_runs.c.open), _runs.c.id.not_in(summed))
    newest = statement.order_by(_runs.c.created_at.desc()).limit(limit)
    return connection.execute(newest).scalars().all()


def call_events(connection: Connection, run_id: str) -> list[ev.Event]:
    """What tells of the run's calls and of its end, without the long texts."""
    body: sa.ColumnElement[str] = _events.c.body
    for name in _LONG_TEXTS:
        body = sa.func.json_replace(body, f"$.{name}", "")
    columns = _events.c.run_id, _events.c.seq, _events.c.at, _events.c.kind, body.label("body")
    statement = sa.select(*columns).where(
        _events.c.run_id == run_id, _events.c.kind.in_([kind.__name__ for kind in _KINDS])
    )
    return [_event(row) for row in connection.execute(statement.order_by(_events.c.seq))]


def _event(row: Any) -> ev.Event:
    return ev.Event(
        run_id=row.run_id,
        seq=row.seq,
        at=row.at,
        payload=ev.payload_from_dict(row.kind, json.loads(row.body)),
    )


def write(connection: Connection, run_id: str, outcome: ev.Outcome, found: Savings) -> None:
    """Keep a run's summary in place of an earlier one, so that doing it twice changes nothing."""
    for table in (_uses, _savings):
        connection.execute(table.delete().where(table.c.run_id == run_id))
    connection.execute(
        _savings.insert().values(
            run_id=run_id,
            rule=RULE,
            outcome=outcome,
            why=found.why,
            estimate=found.estimate,
            used=found.used,
            at_most=found.at_most,
        )
    )
    rows = [asdict(use) | {"run_id": run_id} for use in found.uses]
    if rows:
        connection.execute(_uses.insert(), rows)


def sums(connection: Connection) -> tuple[tuple[Use, ...], dict[str, Any], int]:
    """By model, role and whether it was the strongest then, those that did most first; the counts
    and sums of core.savings_book.Totals by name; and how many runs have finished."""
    uses = connection.execute(_summed_uses()).all()
    row = connection.execute(_summed_runs()).one()
    finished = sa.select(sa.func.count()).where(sa.not_(_runs.c.open))
    return (
        tuple(Use(**use._mapping) for use in uses),
        {name: value or 0 for name, value in row._mapping.items()} | {"at_most": bool(row.at_most)},
        connection.execute(finished).scalar_one(),
    )


def _summed_uses() -> sa.Select[Any]:
    """By model, role and whether it was the strongest then; those that did most first."""
    sums = [
        sa.func.sum(_uses.c[name]).label(name)
        for name in ("calls", "uncounted", "tokens_in", "tokens_out")
    ]
    keys = _uses.c.model, _uses.c.role, _uses.c.strong
    most = sa.func.sum(_uses.c.tokens_in + _uses.c.tokens_out).desc()
    return sa.select(*keys, *sums).group_by(*keys).order_by(most, *keys)


def _summed_runs() -> sa.Executable:
    with_one = _savings.c.estimate.is_not(None)
    count = sa.func.count().filter
    return sa.select(
        sa.func.count().label("runs"),
        count(with_one).label("estimated"),
        count(with_one, _savings.c.outcome == "passed").label("passed"),
        sa.func.sum(_savings.c.estimate).label("estimate"),
        sa.func.sum(_savings.c.used).filter(with_one).label("used"),
        sa.func.max(_savings.c.at_most).filter(with_one).label("at_most"),
        count(_savings.c.why == "one_model").label("one_model"),
    )
