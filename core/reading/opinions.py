"""The opinions of the triage and evaluator models, as tolerant as small models need."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from core.events import Score
from core.reading.thinking import without_thinking

_NAMES = ("correctness", "clarity", "robustness")
_VERDICT = re.compile(r"\b(PASS(?:ED|ES)?|FAIL(?:ED|S|URE)?)\b", re.IGNORECASE)
_NEGATED = re.compile(r"\b(?:not|n't|never|cannot|no)\s+(?:\w+\s+)?$", re.IGNORECASE)
_LONGEST_REASON = 500


def extract_verdict(text: str) -> tuple[bool | None, str]:
    """(passed, reason) of a triage reply; None when it says neither PASS nor FAIL, or both."""
    answer = without_thinking(text)[0][0]
    plain = re.sub(r"[*_`#]+", "", answer).strip()
    for value in _objects(answer):
        for key in ("verdict", "result", "status", "answer", "pass", "passed"):
            said = _lower_keys(value).get(key)
            if said is not None:
                passed = said if isinstance(said, bool) else _said(str(said))
                return passed, _clip(str(_lower_keys(value).get("reason", "")))
    match = _VERDICT.match(
        re.sub(r"^(?:verdict|result|answer|status)\s*[:=-]\s*", "", plain, flags=re.I)
    )
    first = _said(match.group()) if match is not None else None
    reason = plain
    if match is not None:
        opening = _VERDICT.search(plain)
        reason = plain[opening.end() :] if opening is not None else plain
    passed = first if first is not None and "/" not in reason[:2] else _only(plain)
    return passed, _clip(re.sub(r"^[\s:.,;/-]+(?:reason\s*[:-]\s*)?", "", reason, flags=re.I))


def _said(word: str) -> bool | None:
    low = word.strip().lower()
    if low.startswith(("pass", "true", "yes", "ok")):
        return True
    return False if low.startswith(("fail", "false", "no")) else None


def _only(plain: str) -> bool | None:
    """The one verdict that the words agree on."""
    said = set()
    for match in _VERDICT.finditer(plain):
        passed = match.group().upper().startswith("PASS")
        said.add(passed != bool(_NEGATED.search(plain[: match.start()][-30:])))
    return said.pop() if len(said) == 1 else None


def extract_scores(text: str) -> tuple[tuple[Score, ...], str]:
    """The scores that a reply gives, 0 to 10 and rounded, and its closing remark.

    A criterion that it doesn't score is left out; nothing found is an empty tuple.
    """
    answer = without_thinking(text)[0][0]
    found: dict[str, Score] = {}
    remark = ""
    for value in _objects(answer):
        lowered = _lower_keys(value)
        nested = lowered.get("scores")
        for source in (lowered, _lower_keys(nested) if isinstance(nested, dict) else {}):
            for name in _NAMES:
                score = _from_value(name, source.get(name), source)
                if score is not None:
                    found.setdefault(name, score)
        said = lowered.get("reason") or lowered.get("summary") or lowered.get("overall")
        remark = said if isinstance(said, str) else remark
    if not found:
        found, remark = _from_lines(answer)
    return tuple(found[name] for name in _NAMES if name in found), _clip(remark)


def _from_value(name: str, value: Any, source: dict[str, Any]) -> Score | None:
    reason = source.get(f"{name}_reason", "")
    if isinstance(value, dict):
        inner = _lower_keys(value)
        reason = inner.get("reason", inner.get("explanation", ""))
        value = inner.get("score", inner.get("value"))
    if isinstance(value, str):
        match = re.match(r"\s*(\d+(?:\.\d+)?)", value)
        value = float(match[1]) if match else None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 10:
        return None
    return _score(name, float(value), 10.0, reason if isinstance(reason, str) else "")


def _from_lines(answer: str) -> tuple[dict[str, Score], str]:
    found: dict[str, Score] = {}
    remark = ""
    for line in re.sub(r"[*_`#|<>]+", " ", answer).split("\n"):
        match = re.match(
            r"\s*(?:[-+\d.)]+\s*)?(correctness|clarity|robustness)\s*(?:score)?\s*[:=\-(]?\s*"
            r"(\d{1,3}(?:\.\d+)?)\s*(?:(?:/|out of)\s*(\d{1,3}))?\)?(.*)",
            line,
            re.IGNORECASE,
        )
        if match is None:
            said = re.match(r"\s*(?:reason|summary|overall|remark)\w*\s*[:-]\s*(.+)", line, re.I)
            remark = said[1] if said is not None else remark
            continue
        name = match[1].lower()
        reason = re.sub(r"^[\s:.,;\-\u2013\u2014(]+", "", match[4])
        score = _score(name, float(match[2]), float(match[3] or 10), reason)
        if score is not None:
            found.setdefault(name, score)
    return found, remark


def _score(name: str, value: float, scale: float, reason: str) -> Score | None:
    if scale <= 0 or not 0 <= value <= scale:
        return None
    return Score(name=name, value=int(10 * value / scale + 0.5), reason=_clip(reason))


def _objects(text: str) -> Iterator[dict[str, Any]]:
    """The JSON objects in `text`, outermost only."""
    at = 0
    for _ in range(20):
        at = text.find("{", at)
        if at < 0:
            return
        try:
            value, at = json.JSONDecoder(strict=False).raw_decode(text, at)
        except (ValueError, RecursionError):
            at += 1
            continue
        if isinstance(value, dict):
            yield value


def _lower_keys(value: dict[str, Any]) -> dict[str, Any]:
    return {str(key).strip().lower(): item for key, item in value.items()}


def _clip(reason: str) -> str:
    plain = " ".join(reason.split())
    return plain if len(plain) <= _LONGEST_REASON else plain[: _LONGEST_REASON - 1] + "\u2026"
