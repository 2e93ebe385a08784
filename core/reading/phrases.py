"""Examples in sentences: `f(2) returns 4`, "add 1 plus 1 gives 2", `"a b" becomes "a-b"`.

Whatever could be read in two ways is left out: a wrong case costs more than a missing one.
"""

from __future__ import annotations

import builtins
import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from core.reading.doctests import Example, raising
from core.reading.labels import labelled
from core.reading.stubs import takes
from core.reading.values import Value, call_at, is_clear, value_after, value_at

_RELATION = re.compile(
    r"(?P<sign>={1,2}>|-{1,2}>|\u2192|\u279e|\u21d2|\u27f6|\u21a6|===?|!=|=)"
    r"|(?:(?:should|must|will|would)\s+)?(?P<verb>returns?|gives?|yields?|equals?|becomes?|prints?"
    r"|produces?|outputs?|evaluates?\s+to|results?\s+in|turns?\s+into"
    r"|(?:is\s+|be\s+)?equal\s+to|is|be)\b\s*:?",
    re.IGNORECASE,
)
_RAISES = re.compile(
    r"(?:(?:should|must|will)\s+)?(?:raises?|throws?)\s+(?:an?\s+)?`?(?P<error>[A-Z]\w*)`?"
)
DENIAL = re.compile(
    r"\b(?:not|never|wrong(?:ly)?|incorrect(?:ly)?|currently|instead|bug(?:gy)?|unlike|rather"
    r"|unless|actual(?:ly)?|but\s+should|\w+n['\u2019]t|cannot|avoid|previously|mistake(?:nly)?)\b",
    re.IGNORECASE,
)
# What may stand before bare values for them to be an example's input.
_BEFORE = re.compile(
    r"(?:^|[,:;(.!?\u2014]|[-*\u2022]|\d[.)]|\b(?:like|examples?|e\.?g\.?|i\.?e\.?|eg|so|that|inputs?"
    r"|given|for|and|such\s+as|say|text|strings?|lists?|passing|calling|while|then|where|turns?"
    r"|parses?))\s*$",
    re.IGNORECASE,
)
# The only words that may stand in a clause with bare numbers: numbers are everywhere in prose.
_ARITHMETIC = re.compile(
    r"(?:\b(?:adds?|adding|sum|plus|and|with|times|minus|multiply|multiplied|by|of|e\.?g|i\.?e|for"
    r"|examples?|the|inputs?|so|that|like|then|a|function|which|numbers?|two|write|create|me"
    r"|returns?)\b|[\s,.:()`])*",
    re.IGNORECASE,
)
_NEARBY = 300  # characters: a sentence, so that a page on one line costs no more than its length
_JOIN = re.compile(
    r"\s*(?:,\s*(?:and\s+)?|and\s+|plus\s+|with\s+|times\s+|minus\s+|multiplied\s+by\s+)"
)
_TIGHT = re.compile(r"\s*(?:,\s*(?:and\s+)?|and\s+)")
_SPACE = re.compile(r"[`*]*\s*")
_HASH = re.compile(r"[`*]*\s*(?:#+\s*)?")
_COLON = re.compile(r"[`*]*\s*:\s*")
_WORD = re.compile(r"\w+|.", re.DOTALL)
# `f(n) = f(n - 1) + 1` defines: the other equations with f(...) may define, too.
_RECURRENCE = re.compile(r"\b(\w+)\(\s*[a-z]\w?\s*(?:[-+*/]\s*\w+\s*)?\)\s*=(?![=>])")


def phrases(text: str, name: str, signature: str, names: frozenset[str]) -> Iterator[Example]:
    """Examples in the sentences of `text`; `names` may be called, bare values go to `name`."""
    text = re.sub("[\u201c\u201d\u201e]", '"', text)
    sentences = _Sentences(name, signature, names, frozenset(_RECURRENCE.findall(text)))
    for line in text.split("\n"):
        yield from sentences.read(line)
    yield from labelled(text, name, signature)


class _Sentences:
    def __init__(
        self, name: str, signature: str, names: frozenset[str], recurring: frozenset[str]
    ) -> None:
        self._name = name
        self._signature = signature
        self._names = names
        self._recurring = recurring
        # "double 3 gives": the words of the name may stand beside numbers.
        self._own_words = re.compile(
            rf"\b(?:{'|'.join(re.escape(w) for w in {name, *name.split('_')} if w)})\b"
        )

    def read(self, line: str) -> Iterator[Example]:
        """The examples of one line."""
        at = 0
        args: list[Value] = []
        while at < len(line):
            call = call_at(line, at, self._names)
            if call is not None:
                check, at = self._of_call(line, call)
                args = []
                if check:
                    yield Example(setup=(), check=check)
                continue
            value = value_at(line, at)
            if value is None:
                word = _WORD.match(line, at)
                at = word.end() if word is not None else at + 1
                continue
            joined = args and _JOIN.fullmatch(line, args[-1].end, value.start)
            args = [*args, value] if joined else [value]
            at = value.end
            wanted = _wanted(line, at)
            if wanted is not None and self._may_call(line, args):
                if is_clear(line, wanted):
                    given = ", ".join(arg.source for arg in args)
                    yield Example(
                        setup=(), check=f"assert {self._name}({given}) == {wanted.source}"
                    )
                at = wanted.end
                args = []

    def _may_call(self, line: str, args: Sequence[Value]) -> bool:
        """Whether bare values before a relation are the arguments of an example."""
        if takes(self._signature, len(args)) is False:
            return False
        start = args[0].start
        if DENIAL.search(line, max(0, start - _NEARBY), args[-1].end + _NEARBY):
            return False
        before = line[max(0, start - _NEARBY) : start].rstrip("`*\"' ")
        tight = all(_TIGHT.fullmatch(line, a.end, b.start) for a, b in pairwise(args))
        if any(arg.is_number for arg in args):
            clause = re.split(r"[;:!?]|\.(?:\s|$)|,(?:\s|$)|\b(?:e\.g\.|i\.e\.)", before)[-1]
            clause = self._own_words.sub("", clause)
            return bool(
                _ARITHMETIC.fullmatch(clause) or (tight and not before.strip(" -*`(\u2022"))
            )
        return tight and _BEFORE.search(before) is not None

    def _of_call(self, line: str, call: Value) -> tuple[str, int]:
        """The check that a sentence makes of a call, '' for none, and where to read on."""
        none = ("", call.end)
        if DENIAL.search(
            line[max(line.rfind(". ", 0, call.start), call.start - _NEARBY, 0) : call.start]
        ):
            return none
        hash_ = _HASH.match(line, call.end)
        start = hash_.end() if hash_ is not None else call.end
        raises = _RAISES.match(line, start)
        if raises is not None:
            known = is_error(raises["error"])
            return (raising(call.source, raises["error"]), raises.end()) if known else none
        relation = _RELATION.match(line, start)
        colon = _COLON.match(line, call.end)
        sign = relation["sign"] if relation is not None else None
        if relation is not None:
            start = relation.end()
        elif colon is not None:
            start = colon.end()
        elif "#" not in line[call.end : start]:
            return none
        wanted = value_after(line, start)
        if wanted is None or not is_clear(line, wanted):
            return none
        rest = line[wanted.end : wanted.end + _NEARBY]
        if DENIAL.search(rest.partition(". ")[0]) or (relation is None and rest.strip(" `.,;*")):
            return none
        if sign == "=" and call.source.partition("(")[0] in self._recurring:
            return none
        if sign in ("->", "\u2192") and wanted.source == "None" and call.source.endswith("()"):
            return none  # a type, more likely than a value
        equal = "!=" if sign == "!=" else "=="
        return f"assert {call.source} {equal} {wanted.source}", wanted.end


def is_error(name: str) -> bool:
    """Whether `name` is a builtin exception."""
    known = getattr(builtins, name, None)
    return isinstance(known, type) and issubclass(known, Exception)


def _wanted(line: str, at: int) -> Value | None:
    """The value after a relation that can stand between two bare values."""
    space = _SPACE.match(line, at)
    relation = _RELATION.match(line, space.end() if space is not None else at)
    if relation is None or relation["sign"] in ("=", "==", "===", "!="):
        return None
    said = relation.group().lower().rstrip(": ")
    vague = said.split()[-1] in ("is", "be", "equal", "equals", "to")
    if relation["verb"] and vague and not said.startswith(("should be", "must be", "evaluate")):
        return None
    return value_after(line, relation.end())
