"""What a candidate must define: the name and the header line, out of the goal or the plan."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from core.reading.pysource import parse
from core.reading.scan import balanced_end
from core.reading.stubs import Stub, headers, is_finished, outermost, usable
from core.reading.thinking import without_thinking

_SKIPPED = re.compile(
    r"(?:an?|the|of|to|if|is|its?|that|which|whether|for|with|in|into|and|or|from|by|as|on|at|be|are"
    r"|this|these|some|any|all|given|us(?:e|es|ing)|python|functions?|methods?|program|script|code"
    r"|please|write|create|make|build|implement|develop|design|define|give|provide|me|i|want|need"
    r"|should|must|can|will|would|your?|my|tak(?:e|es|ing)|accepts|receives|return(?:s|ing)?|one"
    r"|called|named|whe(?:n|re)|then|so|also|simple|small|plus)"
)
_WORD = r"[A-Za-z_]\w*"
_NAMED = re.compile(
    rf"\b(?:function|method|class|it|named|called|name)\s+(?:called|named|is|as|be|it)?\s*[`'\"*]*({_WORD})"
)
_SURE_NAME = re.compile(rf"\b(?:called|named)\s+[`'\"*]*({_WORD})|\bfunction\s+[`'\"*]+({_WORD})")
_CALL = re.compile(rf"(?<![\w.])({_WORD})\(")
_TICKED = re.compile(rf"`({_WORD})`")
_CLASS_BEFORE = re.compile(r"\b(?:an?|the)\s+((?:[\w-]+\s+){1,4})class\b", re.IGNORECASE)
_CLASS_AFTER = re.compile(
    r"\bclass\s+(?:for|of|representing|modell?ing|that\s+(?:represents|models|implements)|to\s+"
    r"(?:represent|model))\s+(?:an?\s+|the\s+)?((?:[\w-]+[ ]?){1,3})",
    re.IGNORECASE,
)
_NOT_IN_CLASS_NAME = re.compile(
    r"function|that|which|of|for|to|in|with|returns?|simple|small|python|new|basic|and|an?|the|given"
    r"|base|write|method",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The overseer's plan: `signature` is the def or class header without its colon, '' unknown."""

    text: str
    name: str
    signature: str


def extract_plan(text: str, goal: str) -> Plan:
    """The plan in the overseer's reply `text`; what the goal itself names comes first.

    Never raises and always names something that Python allows.
    """
    plain = without_thinking(text.replace("\r\n", "\n"))[0][0].strip()
    stub = _goal_stub(goal.replace("\r\n", "\n"))
    if stub is not None:
        return Plan(text=plain, name=stub.name, signature=stub.signature)
    planned = _planned(plain)
    title = _class_title(goal)
    # "A class Stack with push(x)": the class comes before what is called on it.
    name = _named_class(goal) or _goal_name(goal)
    if name is None and title is not None:
        planned = [stub for stub in planned if stub.is_class]
        name = planned[0].name if planned else title
    if name is None:
        name = planned[0].name if planned else _slug(goal)
    signature = next((stub.signature for stub in planned if stub.name == name), "")
    signature = signature or _called_with_names(goal, name)
    if not signature and title is not None and name[:1].isupper():
        signature = f"class {name}"
    return Plan(text=plain, name=name, signature=signature)


def goal_names(goal: str) -> frozenset[str]:
    """Names that the goal's own headers define, helpers included."""
    return frozenset(stub.name for stub in outermost(goal))


def _goal_stub(goal: str) -> Stub | None:
    stubs = outermost(goal)
    ends = [stub.start for stub in stubs[1:]] + [len(goal)]
    pairs = zip(stubs, ends[: len(stubs)], strict=True)
    open_ = [stub for stub, end in pairs if not is_finished(goal, stub, end)]
    if not open_:
        inside = [stub for stub in headers(goal) if not stub.own_line]
        return inside[-1] if inside else (stubs[-1] if stubs else None)
    shown = [line for line in goal.split("\n") if ">>>" in line]
    called = [stub for stub in open_ if any(re.search(rf"\b{stub.name}\(", line) for line in shown)]
    return called[0] if len(called) == 1 else open_[-1]


def _planned(text: str) -> list[Stub]:
    """The plan's headers: the one on a SIGNATURE line first, then the outermost, then the rest."""
    found = list(headers(text))
    sure = []
    for stub in found:
        before = text[text.rfind("\n", 0, stub.start) + 1 : stub.start]
        if re.search(r"signature", before, re.IGNORECASE):
            sure.append(stub)
    return [*sure, *outermost(text), *[stub for stub in found if not stub.own_line]]


def _goal_name(goal: str) -> str | None:
    said = [name for match in _SURE_NAME.finditer(goal) for name in match.groups() if name]
    for candidates in (list(_example_names(goal)), said, list(_mentions(goal))):
        good = [name for name in candidates if usable(name)]
        if good:
            return Counter(good).most_common(1)[0][0]
    return None


def _example_names(goal: str) -> Iterator[str]:
    """The first own name called in each `>>> ...` line or before each `==`, `->`, `=>`."""
    for line in goal.split("\n"):
        prompt = line.strip().startswith(">>>")
        for match in _CALL.finditer(line):
            end = balanced_end(line, match.end() - 1)
            if not usable(match[1]) or end is None:
                continue
            if prompt or re.match(
                r"[\w.\[\]()`'\" ]{0,20}?\s*(?:==|->|=>|\u2192|=\s|returns?\b|gives?\b)", line[end:]
            ):
                yield match[1]
                break


def _mentions(goal: str) -> Iterator[str]:
    for match in _CALL.finditer(goal):
        if balanced_end(goal, match.end() - 1) is not None and _is_code_word(match[1], goal, match):
            yield match[1]
    for match in _TICKED.finditer(goal):
        if len(match[1]) > 2:
            yield match[1]


def _is_code_word(name: str, goal: str, match: re.Match[str]) -> bool:
    """False for a word before a remark in parentheses without a space, such as "item(s)"."""
    return goal[match.end() : match.end() + 2] not in ("s)", "es") and len(name) > 1


def _called_with_names(goal: str, name: str) -> str:
    """`def name(a, b)` where the goal says `name(a, b)` with plain names only."""
    match = re.search(rf"(?<![\w.]){re.escape(name)}\(((?:\s*{_WORD}\s*,?)*)\)", goal)
    if match is None or not match[1].strip():
        return ""
    names = [part.strip() for part in match[1].split(",")]
    if not all(part.isidentifier() and usable(part) for part in names):
        return ""
    signature = f"def {name}({', '.join(names)})"
    return signature if parse(signature + ": pass") is not None else ""


def _class_title(goal: str) -> str | None:
    """PriceList for "a price-list class"; None when the goal does not ask for a class."""
    named = _named_class(goal)
    if named is not None:
        return named
    for match in (_CLASS_BEFORE.search(goal), _CLASS_AFTER.search(goal)):
        if match is None or re.search(r"\bfunction\b", goal[: match.end()], re.IGNORECASE):
            continue
        words = re.split(r"[\s-]+", match[1].strip())
        kept = [word for word in words if not _NOT_IN_CLASS_NAME.fullmatch(word)]
        title = "".join(word[:1].upper() + word[1:] for word in kept if word.isascii())
        if usable(title):
            return title
    return None


def _named_class(goal: str) -> str | None:
    """Stack for "a class Stack ..."; None where a function is asked for before."""
    found = re.search(r"\bclass\s+(?:called|named)?\s*[`'\"*]*([A-Z]\w*)", goal)
    if found is None or not usable(found[1]):
        return None
    return None if re.search(r"\bfunction\b", goal[: found.start()]) else found[1]


def _slug(goal: str) -> str:
    plain = unicodedata.normalize("NFKD", goal[:2000]).encode("ascii", "ignore").decode()
    plain = re.sub(r"\"[^\"\n]*\"|'[^'\n]*'|\be\.?g\.?\b|\bfor example\b", " ", plain)
    first = re.split(r"[.:;\n]\s", plain.strip() + " ", maxsplit=1)[0]
    words = [word.lower() for word in re.findall(r"[A-Za-z]+", first.replace("'", ""))]
    kept = [word for word in words if not _SKIPPED.fullmatch(word)][:4]
    name = "_".join(kept) or "solution"
    return name if usable(name) else f"{name}_result"
