"""Files that come with a form or in JSON, and files that are handed back."""

from __future__ import annotations

import base64
import io
import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from flask import request, send_file
from werkzeug.wrappers import Response

from core.errors import BadInput


def uploaded() -> dict[str, bytes]:
    """The files of the form's field `files`, by name; BadInput when two have the same."""
    files: dict[str, bytes] = {}
    for sent in request.files.getlist("files"):
        name = tidy(sent.filename or "")
        if not name:
            continue  # a field that was left empty
        _add(files, name, sent.stream.read())
    return files


def from_json(listed: Any) -> dict[str, bytes]:
    """The files of a list like [{"name": "a.csv", "text": "..."}, {"name": "b", "base64": ".."}].

    Raises BadInput with the place of what is wrong.
    """
    files: dict[str, bytes] = {}
    if not isinstance(listed, list):
        raise BadInput("files", "`files` must be a list.")
    for index, entry in enumerate(listed):
        name, data = _entry(entry if isinstance(entry, dict) else {})
        if name is None or data is None:
            raise BadInput(
                f"files[{index}]",
                'A file must be like {"name": "a.csv", "text": "..."} or {"name": "a.png", '
                '"base64": "..."}.',
            )
        _add(files, name, data)
    return files


def _entry(entry: Mapping[str, Any]) -> tuple[str | None, bytes | None]:
    name, text, encoded = (entry.get(key) for key in ("name", "text", "base64"))
    data = None
    if isinstance(text, str) and encoded is None:
        data = text.encode("utf-8", "replace")
    elif isinstance(encoded, str) and text is None:
        try:
            data = base64.b64decode(encoded, validate=True)
        except ValueError:
            data = None
    return name if isinstance(name, str) else None, data


def _add(files: dict[str, bytes], name: str, data: bytes) -> None:
    if name in files:
        raise BadInput("files", f"Two files are called {name}. Rename one of them.")
    files[name] = data


def tidy(name: str) -> str:
    """The name in one form of Unicode, odd spaces (macOS writes them) as plain ones."""
    return re.sub(r"\s", " ", unicodedata.normalize("NFC", name)).strip()


def download(name: str, data: bytes) -> Response:
    """The bytes as a download that no browser shows or runs."""
    return send_file(
        io.BytesIO(data),
        mimetype="application/octet-stream",
        as_attachment=True,
        download_name=name.rpartition("/")[2],
        max_age=0,
    )
