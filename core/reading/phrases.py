"""Examples in sentences: `f(2) returns 4`, "add 1 plus 1 gives 2", `"a b" becomes "a-b"`.

Whatever could be read in two ways is left out: a wrong case costs more than a missing one.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from core.reading.asserts import expression, is_closed, is_constant
from core.reading.doctests import Example, raising
from core.reading.scan import balanced_end
from core.reading.stubs import parameters, takes

_RELATION = re.compile(
    r"(?P<sign>={1,2}>|-{1,2}>|\u2192|\u279e|\u21d2|\u27f6|\u21a6|===?|!=|=)"
    r"|(?:(?:should|must|will|would)\s+)?(?P<verb>returns?|gives?|yields?|equals?|becomes?|produces?|"
    r"outputs?|evaluates?\s+to|results?\s+in|turns?\s+into|(?:be\s+)?equal\s+to|is\s+equal\s+to|is|be)\b"
    r"\s*:?",
    re.IGNORECASE,
)
_RAISES = re.compile(
    r"(?:(?:should|must|will)\s+)?(?:raises?|throws?)\s+(?:an?\s+)?`?(?P<error>[A-Z]\w*)`?"
)
_INPUT = re.compile(
    r"(?:(?:for|with|given)\s+(?:the\s+)?)?inputs?\s*(?:is|are|of|:|=)?\s*", re.IGNORECASE
)
_OUTPUT = re.compile(
    r"[,;.]?\s*(?:then\s+)?(?:the\s+|we\s+)?(?:(?:expected|correct)\s+)?(?:output|result|answer|return value)"
    r"\s*(?:should\s+be|must\s+be|is|:|=|->)?\s*",
    re.IGNORECASE,
)
_STRING = re.compile(r"""[rRbB]{0,2}(?:"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')""")
_NUMBER = re.compile(r"[+-]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_WORDS = {
    "true": "True",
    "false": "False",
    "True": "True",
    "False": "False",
    "None": "None",
    "an empty list": "[]",
    "an empty string": '""',
    "an empty dict": "{}",
    "an empty dictionary": "{}",
    "an empty tuple": "()",
    "an empty set": "set()",
}
_NAMED_VALUE = re.compile("|".join(sorted(_WORDS, key=len, reverse=True)) + r"|set\(\)")
DENIAL = re.compile(
    r"\b(?:not|never|wrong(?:ly)?|incorrect(?:ly)?|currently|instead|bug(?:gy)?|unlike|rather|unless|"
    r"actual(?:ly)?|but\s+should|\w+n['\u2019]t|cannot|avoid|previously|mistake(?:nly)?)\b",
    re.IGNORECASE,
)
_BEFORE = re.compile(
    r"(?:^|[,:;(.!?\u2014]|[-*\u2022]|\d[.)]|\b(?:like|examples?|e\.?g\.?|i\.?e\.?|eg|so|that|inputs?|given|for|and|"
    r"such\s+as|say|text|string|strings|list|lists|passing|calling|while|then|where|turns?|parses?))\s*$",
    re.IGNORECASE,
)
_ARITHMETIC = re.compile(
    r"(?:\b(?:add|adding|sum|plus|and|with|times|minus|multiply|multiplied|by|of|e\.?g|for|example|"
    r"the|input|inputs|so|that|like|then|a|function|which|adds?|numbers?|two|write|create|me|returns?|i\.?e)\b|[\s,.:()`])*",
    re.IGNORECASE,
)
_JOIN = re.compile(
    r"\s*(?:,\s*(?:and\s+)?|and\s+|plus\s+|with\s+|times\s+|minus\s+|multiplied\s+by\s+)"
)
_TIGHT = re.compile(r"\s*(?:,\s*(?:and\s+)?|and\s+)")
_MAY_FOLLOW = re.compile(
    r"[`*]*\s*(?:$|\n|[,;)\]!?\"'](?!\d)|\.(?!\w)|\(|\#|\u2014|--|-\s|"
    r"(?:because|since|as|and|but|while|when|if|for|where|which|so|due|then)\b)"
)
_CHAINED = re.compile(r"[`*]*\s*(?:,\s*|and\s+)(?:[-+\d\"'\[({]|None|True|False)")


@dataclass(frozen=True, slots=True)
class _Value:
    source: str
    start: int
    end: int

    @property
    def is_number(self) -> bool:
        return self.source[-1:].isdigit() or self.source[-1:] == "."


def phrases(text: str, name: str, signature: str, names: frozenset[str]) -> Iterator[Example]:
    """Examples in the sentences of `text`; `names` may be called, bare values go to `name`."""
    text = re.sub("[\u201c\u201d\u201e]", '"', text)
    for line in text.split("\n"):
        yield from _line(line, name, signature, names)
    if takes(signature, 0) is not False or parameters(signature):
        yield from _labelled(text, name, signature)


def _line(line: str, name: str, signature: str, names: frozenset[str]) -> Iterator[Example]:
    at = 0
    args: list[_Value] = []
    while at < len(line):
        call = _call_at(line, at, names)
        if call is not None:
            example = _said_of_call(line, call, names)
            at = example[1] if example else call.end
            args = []
            if example:
                yield Example(setup=(), check=example[0])
            continue
        value = value_at(line, at)
        if value is None:
            at = _skip(line, at)
            continue
        args = (
            [*args, value] if args and _JOIN.fullmatch(line, args[-1].end, value.start) else [value]
        )
        at = value.end
        wanted = _expected(line, value.end, verbs=True)
        if wanted is not None and _may_call(line, args, signature):
            at = wanted.end
            call_source = f"{name}({', '.join(arg.source for arg in args)})"
            args = []
            if _is_clear(line, wanted, value.end):
                yield Example(setup=(), check=f"assert {call_source} == {wanted.source}")


def _skip(line: str, at: int) -> int:
    match = re.compile(r"\w+|.", re.DOTALL).match(line, at)
    return match.end() if match is not None else at + 1


def _may_call(line: str, args: Sequence[_Value], signature: str) -> bool:
    fits = takes(signature, len(args))
    before = line[: args[0].start].rstrip("`*\"' ")
    clause = re.split(r"[;!?]|\.\s|,\s(?=\S)|\b(?:e\.g\.|i\.e\.)", before)[-1]
    if fits is False or DENIAL.search(line):
        return False
    tight = all(_TIGHT.fullmatch(line, a.end, b.start) for a, b in zip(args, args[1:]))
    if any(arg.is_number for arg in args):
        return _ARITHMETIC.fullmatch(clause) is not None or (
            tight and not before.strip(" -*`(\u2022")
        )
    return tight and _BEFORE.search(before) is not None


def _said_of_call(line: str, call: _Value, names: frozenset[str]) -> tuple[str, int] | None:
    """The check and where it ends, for a call that the sentence goes on about."""
    after = re.compile(r"[`*]*\s*(?:#+\s*)?(?:->\s*)?").match(line, call.end)
    at = after.end() if after is not None else call.end
    raises = _RAISES.match(line, at)
    denied = DENIAL.search(line[max(line.rfind(". ", 0, call.start), 0) : call.start])
    if raises is not None:
        known = getattr(builtins, raises["error"], None)
        good = isinstance(known, type) and issubclass(known, Exception)
        return (
            (raising(call.source, raises["error"]), raises.end()) if good and not denied else None
        )
    relation = _RELATION.match(line, re.compile(r"[`*]*\s*(?:#+\s*)?").match(line, call.end).end())  # type: ignore[union-attr]
    comment = "#" in line[call.end : at] and relation is None
    start = relation.end() if relation is not None else at
    if relation is None and not comment:
        colon = re.compile(r"[`*]*\s*:\s*").match(line, call.end)
        if colon is None:
            return None
        start, comment = colon.end(), True
    wanted = _value_after(line, start)
    if wanted is None or denied or not _is_clear(line, wanted, call.end):
        return None
    if comment and line[wanted.end :].strip(" `.,;*"):
        return None
    if DENIAL.search(line[wanted.end :].partition(". ")[0]):
        return None
    sign = "!=" if relation is not None and relation["sign"] == "!=" else "=="
    return f"assert {call.source} {sign} {wanted.source}", wanted.end


def _expected(line: str, at: int, verbs: bool) -> _Value | None:
    """The value that follows a relation which can stand between two bare values."""
    space = re.compile(r"[`*]*\s*").match(line, at)
    relation = _RELATION.match(line, space.end() if space is not None else at)
    if relation is None or (relation["sign"] or "") in ("=", "==", "===", "!="):
        return None
    said = relation.group().lower()
    if relation["verb"] and said.split()[-1].strip(":") in ("is", "be", "equal", "equals", "to"):
        if not said.startswith(("should be", "must be", "evaluate")):
            return None
    return _value_after(line, relation.end())


def _value_after(line: str, at: int) -> _Value | None:
    space = re.compile(r"\s*[`*]*(?:the\s+(?:string|list|number|value|integer)\s+)?[`]*").match(
        line, at
    )
    start = space.end() if space is not None else at
    named = _NAMED_VALUE.match(line, start)
    if named is not None and not line[named.end() : named.end() + 1].isalnum():
        return _Value(_WORDS.get(named.group(), named.group()), start, named.end())
    return value_at(line, start)


def _is_clear(line: str, wanted: _Value, after: int) -> bool:
    """Whether the sentence lets the value stand: no unit, no operator, no alternative after it."""
    rest = line[wanted.end :]
    if _CHAINED.match(rest) and wanted.is_number and not _RELATION.search(rest):
        return False
    if re.match(r"[`*]*\s*(?:or\b|=|\+|\*\*?\s*\d|/|%|<|->|\u2192)", rest):
        return False
    if wanted.source in _WORDS.values() or not wanted.is_number:
        return not rest[:1].isalnum()
    return _MAY_FOLLOW.match(rest) is not None


def value_at(line: str, at: int) -> _Value | None:
    """The literal that begins at `at`, if it stands apart from what is before it."""
    before = line[at - 1 : at]
    if before and (before.isalnum() or before in "_.)]}$\u20ac/\\-+" or before in "\"'"):
        return None
    character = line[at : at + 1]
    end: int | None = None
    if character and character in "([{":
        end = balanced_end(line, at)
    elif match := (_STRING.match(line, at) or _NUMBER.match(line, at)):
        end = match.end()
        if match.group().endswith(".") or line[end : end + 1].isalnum():
            end = end - 1 if match.group().endswith(".") else None
        elif re.match(r"[%:/]\w|,\d|-\d", line[end:]) or line[end : end + 1] == "%":
            end = None
    if end is None:
        return None
    source = line[at:end]
    node = expression(source)
    if node is None or not is_constant(node) or source == "()" or line[end : end + 1] in ("'", '"'):
        return None
    return _Value(source, at, end)


def _call_at(line: str, at: int, names: frozenset[str]) -> _Value | None:
    """The longest call expression that begins at `at` and calls one of `names`."""
    match = re.compile(r"(?<![\w.])(?:not\s+)?([A-Za-z_][\w.]*)\(").match(line, at)
    if match is None:
        return None
    end = balanced_end(line, match.end() - 1)
    while end is not None:
        trailer = re.compile(r"(?:\.[A-Za-z_]\w*)*[(\[]").match(line, end)
        if trailer is None:
            attribute = re.compile(r"(?:\.[A-Za-z_]\w*)+(?=\s*(?:==|->|=>|is\b|`))").match(
                line, end
            )
            end = attribute.end() if attribute is not None else end
            break
        longer = balanced_end(line, trailer.end() - 1)
        if longer is None:
            break
        end = longer
    if end is None:
        return None
    source = line[at:end]
    node = expression(source)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
        node = node.args[0] if len(node.args) == 1 and not node.keywords else None
        source = ast.unparse(node) if node is not None else ""
    if node is None or not is_closed(node, names):
        return None
    called = {
        part.func.id
        for part in ast.walk(node)
        if isinstance(part, ast.Call) and isinstance(part.func, ast.Name)
    }
    return _Value(source, at, end) if called & names else None


def _labelled(text: str, name: str, signature: str) -> Iterator[Example]:
    """`Input: [1, 2]` with `Output: 3` after it, on the same line or on the next."""
    for match in _INPUT.finditer(text):
        at = match.end()
        args: list[str] = []
        while (part := _argument(text, at)) is not None:
            args.append(part[0])
            at = part[1]
            comma = re.compile(r"[ \t]*(?:,|and\b)[ \t]*").match(text, at)
            if comma is None or _argument(text, comma.end()) is None:
                break
            at = comma.end()
        output = re.compile(r"[`*]*\s*").match(text, at)
        label = _OUTPUT.match(text, output.end()) if output is not None and args else None
        wanted = _value_after(text, label.end()) if label is not None else None
        if wanted is None or not _is_clear(text, wanted, at):
            continue
        known = parameters(signature)
        named = [arg.partition("=")[0] for arg in args if re.match(r"[A-Za-z_]\w*=", arg)]
        if named and not (len(named) == len(args) and set(named) <= set(known)):
            args = [re.sub(r"^[A-Za-z_]\w*=", "", arg) for arg in args]
            named = []
        if named or takes(signature, len(args)) is not False:
            yield Example(setup=(), check=f"assert {name}({', '.join(args)}) == {wanted.source}")


def _argument(text: str, at: int) -> tuple[str, int] | None:
    """A value or `name = value`, and where it ends."""
    space = re.compile(r"[ \t]*[`*]*(?:([A-Za-z_]\w*)[ \t]*=[ \t]*)?[`]*").match(text, at)
    if space is None:
        return None
    value = value_at(text, space.end())
    if value is None:
        return None
    return (f"{space[1]}={value.source}" if space[1] else value.source), value.end
