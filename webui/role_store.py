"""A role's form out of the configuration, and back into it where nothing is wrong with it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from core.config import details
from core.config.edit import named_files
from core.errors import ConfigError, StorageError
from core.events import Role
from webui import present
from webui.role_form import MAX_ROWS, RoleForm, Row

if TYPE_CHECKING:
    from core.services import Services

CHANGED = (
    "This role was changed since the page was loaded, in another tab or in the file. What you "
    "typed is still here: save again to put it in place of that change, or reload to see it."
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
        details = replace(details, key_env="", key_file="", key_unplaced="")
    problems = {name: text, **row.problems}
    return replace(row, details=details, problems=problems)
