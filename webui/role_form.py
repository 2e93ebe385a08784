"""A role's form on the settings page: what it holds, what was typed, what is wrong with it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from flask import request

from core.config import details
from core.config.details import Details
from core.config.edit import named_files
from core.errors import ConfigError, StorageError
from core.events import Role
from webui import present

if TYPE_CHECKING:
    from core.services import Services

MAX_ROWS = 64
CHANGED = (
    "This role was changed since the page was loaded, in another tab or in the file. What you "
    "typed is still here: save again to put it in place of that change, or reload to see it."
)
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
# The form's field for what an entry's problem is at; any other is told at the address.
_FIELD_OF = {
    "name": "name",
    "weight": "weight",
    "max_inflight": "max_inflight",
    "auth": "key",
    "auth.type": "key_type",
    "auth.name": "key_header",
    "auth.env": "key",
    "auth.file": "key",
    "headers": "headers",
    "verify": "verify",
    "ca_file": "ca_file",
}


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


def stored(services: Services, role: Role) -> RoleForm:
    """As the file has it."""
    config = services.config.current
    entry = config.role(role)
    files = named_files(services.config.document(), config, role)
    rows = tuple(
        Row(
            url=f"{endpoint.url}/v1" if endpoint.kind == "openai" else endpoint.url,
            details=details.of(endpoint, files),
        )
        for endpoint in entry.endpoints
    )
    form = RoleForm(
        role=role,
        model=entry.model,
        rows=rows,
        strategy=entry.strategy,
        inherited=config.inherited.get(role),
    )
    return replace(form, seen=_mark(form))


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


def compared(services: Services, form: RoleForm) -> RoleForm:
    """The form, with the rows told apart that have details which are not saved."""
    saved = [row.details for row in stored(services, form.role).rows]
    rows = (replace(row, edited=not row.plain and row.details not in saved) for row in form.rows)
    return replace(form, rows=tuple(rows))


def save(services: Services, form: RoleForm) -> RoleForm | None:
    """Write it; the form with its problems when it was refused.

    One that was loaded before somebody else's change is refused once: it would undo that.
    """
    services.config.refresh()
    now = stored(services, form.role).seen
    if form.seen not in ("", now) and _mark(form) != now:
        return replace(form, problem=CHANGED, seen=now)
    kept = [at for at, row in enumerate(form.rows) if row.url or not row.plain]
    if len(kept) > MAX_ROWS:
        surplus = present.plural(len(kept) - MAX_ROWS, "endpoint")
        problem = f"A role can have at most {MAX_ROWS} endpoints. Remove {surplus} and save again."
        return replace(form, problem=problem)
    try:
        services.config.save_role(
            form.role,
            form.model,
            [form.rows[at].url or None for at in kept],
            details=[form.rows[at].details for at in kept],
            strategy=form.strategy,
        )
    except ConfigError as error:
        return _with_problems(form, error, kept)
    except StorageError as error:
        return replace(form, problem=error.message)
    return None


def _mark(form: RoleForm) -> str:
    said = repr((form.model, form.strategy, form.rows))
    return hashlib.sha256(said.encode()).hexdigest()[:16]


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


def _with_problems(form: RoleForm, error: ConfigError, kept: Sequence[int]) -> RoleForm:
    path = f"ollama.models.{form.role}"
    model, other, rows = "", list[str](), list(form.rows)
    for problem in error.problems:
        text = f"{problem.message[:1].upper()}{problem.message[1:]}. {problem.mend}".rstrip()
        found = re.match(re.escape(path) + r"\.endpoints\[(\d+)\]\.?(.*)", problem.path)
        if problem.path == f"{path}.model":
            model = text
        elif found and int(found[1]) < len(kept):
            at = kept[int(found[1])]
            rows[at] = _refused(rows[at], found[2], text)
        else:
            other.append(str(problem))
    return replace(form, model_problem=model, rows=tuple(rows), problem=" ".join(other))


def _refused(row: Row, key: str, text: str) -> Row:
    """The row with this problem; of a field the first one is told."""
    name = _FIELD_OF.get(key, "headers" if key.startswith("headers") else "")
    details = row.details
    if details is None:
        name = ""
    elif name == "key":
        # What was typed may be the secret itself: it is not shown again.
        details = replace(details, key_env="", key_file="")
    problems = {name: text, **row.problems}
    return replace(row, details=details, problems=problems)
