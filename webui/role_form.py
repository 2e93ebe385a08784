"""A role's form on the settings page: what it holds, and what was typed into it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from flask import request

from core.config import details
from core.config.details import Details
from core.events import Role

MAX_ROWS = 64
# The lists that a form's rows come in, besides their addresses; the nth of each is of the nth row.
FIELDS = (
    "name",
    "weight",
    "max_inflight",
    "state",
    "key_from",
    "key",
    "key_type",
    "key_header",
    "headers",
    "verify",
    "ca_file",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """An endpoint as it is shown. `details` None: the form that was sent has none. `problems` by
    field, '' for the address. `edited`: its details differ from what the file says."""

    url: str = ""
    details: Details | None = field(default_factory=Details)
    problems: Mapping[str, str] = field(default_factory=dict)
    edited: bool = False

    @property
    def plain(self) -> bool:
        """Whether its details are what they are for a bare address."""
        return self.details in (None, Details())

    @property
    def open(self) -> bool:
        """Whether its details need to be seen: something to mend, or not saved yet."""
        return self.edited or any(self.problems)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleForm:
    """A role's form as it is shown. `strategy` None: the form that was sent has none. `seen` stands
    for what the file said when the page was loaded, '' where that is not known."""

    role: Role
    model: str
    rows: tuple[Row, ...]
    strategy: str | None = None
    inherited: Role | None = None
    model_problem: str = ""
    problem: str = ""
    seen: str = ""

    @property
    def refused(self) -> bool:
        """Whether anything is wrong with it."""
        return bool(self.model_problem or self.problem or any(row.problems for row in self.rows))


def typed(role: Role) -> RoleForm:
    """As it was sent."""
    urls = [text.strip() for text in request.form.getlist("endpoint")]
    lists = {name: request.form.getlist(name) for name in FIELDS}
    whole = all(len(texts) == len(urls) for texts in lists.values())
    rows = tuple(
        Row(
            url=url,
            details=_details({key: texts[at] for key, texts in lists.items()}) if whole else None,
        )
        for at, url in enumerate(urls)
    )
    return RoleForm(
        role=role,
        model=request.form.get("model", "").strip(),
        rows=rows,
        strategy=request.form.get("strategy"),
        seen=request.form.get("seen", ""),
    )


def moved(rows: Sequence[Row], action: str) -> tuple[Row, ...]:
    """The rows after `add`, or `remove-2`, `up-1`, `down-0`: row numbers count from 0."""
    changed = list(rows)
    verb, _, number = action.partition("-")
    if verb == "add":
        changed.append(Row())
    at = int(number) if number.isascii() and number.isdigit() else -1
    if not 0 <= at < len(rows):
        return tuple(changed)
    if verb == "remove":
        del changed[at]
    elif verb in ("up", "down"):
        other = min(max(at + (1 if verb == "down" else -1), 0), len(rows) - 1)
        changed[at], changed[other] = changed[other], changed[at]
    return tuple(changed)


def _details(texts: Mapping[str, str]) -> Details:
    text = {key: value.strip() for key, value in texts.items()}
    return Details(
        name=text["name"],
        weight=_number(text["weight"], Details().weight),
        max_inflight=_number(text["max_inflight"], Details().max_inflight),
        state=text["state"] if text["state"] in details.STATES else details.TAKES_CALLS,
        key_env=text["key"] if text["key_from"] == "env" else "",
        key_file=text["key"] if text["key_from"] == "file" else "",
        key_from=text["key_from"] if text["key_from"] in ("env", "file") else "",
        key_unplaced=text["key"] if text["key_from"] not in ("env", "file") else "",
        key_type=text["key_type"],
        key_header=text["key_header"] if text["key_type"] == "header" else "",
        headers=text["headers"],
        verify=text["verify"] != "off",
        ca_file=text["ca_file"],
    )


def _number(text: str, default: int | str) -> int | str:
    """Text that is no number stays text, and is refused later."""
    if not text:
        return default
    return int(text) if re.fullmatch("[0-9]{1,9}", text) else text
