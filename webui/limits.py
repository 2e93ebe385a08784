"""The part of the settings page about generated code: what it may use, import and hand over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from flask import request

from core.config import Config
from core.errors import ConfigError, StorageError

if TYPE_CHECKING:
    from core.services import Services

Kind = Literal["number", "lines", "switch"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A key of the configuration: `unit` for people, '' where the value has none."""

    path: str
    label: str
    unit: str = ""
    kind: Kind = "number"

    @property
    def id(self) -> str:
        """The form field's name."""
        return self.path.replace(".", "-")

    def of(self, config: Config) -> Any:
        """Its value."""
        section, key = self.path.split(".")
        return getattr(getattr(config, section), key)


SETTINGS = (
    Setting(path="sandbox.wall_s", label="One execution, all cases together", unit="seconds"),
    Setting(path="sandbox.case_s", label="One case", unit="seconds"),
    Setting(path="sandbox.cpu_s", label="Processor time", unit="seconds"),
    Setting(path="sandbox.memory_bytes", label="Memory", unit="bytes"),
    Setting(path="sandbox.output_bytes", label="Printed output", unit="bytes"),
    Setting(path="sandbox.scratch_bytes", label="Files while it runs", unit="bytes"),
    Setting(path="sandbox.processes", label="Processes and threads"),
    Setting(path="sandbox.files_bytes", label="Files it hands over, together", unit="bytes"),
    Setting(path="sandbox.files", label="Files it hands over, their number"),
    Setting(path="run.input_files_bytes", label="Files that come with a goal", unit="bytes"),
    Setting(path="sandbox.packages", label="Packages it may import", kind="lines"),
    Setting(path="sandbox.warm", label="Keep a sandbox warm, for quick starts", kind="switch"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitsForm:
    """What the form shows: each setting's text by path, and what is wrong with it."""

    texts: Mapping[str, str]
    problems: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""

    @property
    def refused(self) -> bool:
        """Whether anything is wrong with it."""
        return bool(self.problems or self.problem)


def stored(config: Config) -> LimitsForm:
    """The form as the file has it."""
    return LimitsForm(texts={one.path: _text(one, one.of(config)) for one in SETTINGS})


def save(services: Services) -> LimitsForm:
    """Write what was typed, as far as it differs; the form with its problems if it was refused."""
    typed = {one.path: _typed(one) for one in SETTINGS}
    config = services.config.current
    document = services.config.document()
    for one in SETTINGS:
        if typed[one.path] != _text(one, one.of(config)):
            section, key = one.path.split(".")
            document[section] = {**(document.get(section) or {}), key: _value(one, typed[one.path])}
    try:
        return stored(services.config.save_document(document))
    except ConfigError as error:
        problems, other = dict[str, str](), list[str]()
        for found in error.problems:
            path = found.path.partition("[")[0]
            text = f"{found.message[:1].upper()}{found.message[1:]}. {found.mend}".rstrip()
            if path in typed:
                problems[path] = f"{problems.get(path, '')} {text}".strip()
            else:
                other.append(str(found))
        return LimitsForm(texts=typed, problems=problems, problem=" ".join(other))
    except StorageError as error:
        return LimitsForm(texts=typed, problem=error.message)


def _text(one: Setting, value: Any) -> str:
    if one.kind == "lines":
        return "\n".join(value)
    if one.kind == "switch":
        return "on" if value else ""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _typed(one: Setting) -> str:
    text = request.form.get(one.id, "").replace("\r\n", "\n")
    if one.kind == "lines":
        return "\n".join(line.strip() for line in text.split("\n") if line.strip())
    return text.strip()


def _value(one: Setting, text: str) -> Any:
    """The value that YAML would read; text that is no number stays text, and is refused later."""
    if one.kind == "lines":
        return text.split("\n") if text else []
    if one.kind == "switch":
        return text == "on"
    for read in (int, float):
        try:
            return read(text.replace("_", ""))
        except ValueError:
            continue
    return text
