"""Server-sent events, as strictly as replies need and as loosely as servers write them."""

from __future__ import annotations

import codecs
from collections.abc import Iterator

from core.endpoints import faults
from core.endpoints.wire import Source

_FIELDS = (b"", b"event", b"id", b"retry")  # b"": a comment, which servers send to be heard


def events(source: Source) -> Iterator[tuple[str, bytes]]:
    """Name ('' when none) and data of each event.

    A body that is one JSON object, from a server that does not stream, is one event without a
    name. Raises BadReply when the body holds neither.
    """
    name, data, strange, count = "", list[bytes](), b"", 0
    lines = source.lines()
    for line in lines:
        line = line.removeprefix(codecs.BOM_UTF8)
        if not count and not data and line.startswith(b"{"):
            yield "", b"\n".join([line, *lines])
            return
        if not line:
            if any(data):
                count += 1
                yield name, b"\n".join(data)
            name, data = "", []
            continue
        field, _, value = line.partition(b":")
        value = value.strip()
        if field == b"data":
            data.append(value)
        elif field == b"error":  # llama.cpp's older builds
            count += 1
            yield "error", value
        elif field == b"event":
            name = value.decode("utf-8", "replace")
        elif field not in _FIELDS and not strange:
            strange = line
    if any(data):
        yield name, b"\n".join(data)
    elif strange and not count:
        raise faults.not_a_reply(source.endpoint, strange)
