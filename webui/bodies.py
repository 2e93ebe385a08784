"""The bodies of API requests."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from flask import abort, request

from core.errors import BadInput

# More than any document of ours needs, and far less than Python's own limit.
MAX_DEPTH = 50


def json_object() -> dict[str, Any]:
    """The request's body, a JSON object. Raises BadInput; ends the request when it is no JSON."""
    if not request.is_json:
        abort(415)
    try:
        document = json.loads(request.get_data(), parse_constant=_no_json)
    except ValueError as error:
        raise BadInput("", f"The body is not JSON: {error}.") from error
    except RecursionError:
        raise _too_deep() from None
    if not isinstance(document, dict):
        raise BadInput("", "The body must be a JSON object.")
    _check_depth(document)
    return document


def _no_json(name: str) -> None:
    raise ValueError(f"{name} is no JSON value")


def _check_depth(document: object) -> None:
    """Newer Pythons read what older ones give up on; nobody after us need know how deep it is."""
    level = [document]
    for _ in range(MAX_DEPTH):
        level = [inner for value in level for inner in _inside(value)]
    if level:
        raise _too_deep()


def _inside(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _too_deep() -> BadInput:
    return BadInput("", f"The body is nested too deeply: at most {MAX_DEPTH} levels can be read.")
