"""What the user writes as a case, in place of a generated one or besides: read, checked, made one.

Pure. In place of another it may be a whole line like `assert add([]) == 0`, or only the value that
is right; besides, all that a goal's example may look like.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from dataclasses import dataclass

from core.errors import BadInput
from core.events import Case
from core.questions import shown, sides
from core.reading.asserts import compared, expression, is_tautology
from core.reading.floats import exact, tolerant
from core.reading.plans import Plan
from core.reading.pysource import NOT_PYTHON, attempt, compiles, fingerprint, loaded, parse
from core.reading.testcode import written_tests
from core.suite import cases_from_goal

FIELD = "source"
SEVERAL = "These are several cases. Write one, with one assert."
_PREDICATES = ("all", "any", "isinstance")
_GIVES = re.compile(r"->|=>|→|\b(?:returns|gives|raises)\b")
LONGEST = 4_000


def replacement(text: str, case: Case, plan: Plan, suite: Iterable[Case]) -> str:
    """The new case's source, or `case`'s own where nothing was changed.

    BadInput for what is no case: not Python, no assert, several, one that never reaches the
    candidate, one that always holds, one that the suite has or contradicts in the user's name.
    """
    written = _written(text, "a line like assert f(2) == 4, or a value")
    _check_python(written)
    source = _one_case(_whole(written, case, plan), plan)
    others = [one for one in suite if case.id not in (one.id, one.instead_of)]
    same = find_same(source, others)
    if same is not None and same.counts:
        raise BadInput(FIELD, f"The suite has this case already ({same.id}).")
    check_own(FIELD, source, others)
    return source


def addition(text: str, plan: Plan) -> str:
    """A further case's source. BadInput as of `replacement`, and for what says no result."""
    written = _written(text, "a line like f(2) == 4")
    value = expression(written)
    if not isinstance(value, (ast.BoolOp, ast.IfExp, ast.Lambda)) and not _is_code(written):
        # As in a goal: of a list "- f(2) == 4" the dash is no minus, and the comma no tuple.
        examples = cases_from_goal(written, plan)
        if len(examples) > 1:
            raise BadInput(FIELD, SEVERAL)
        if examples and (value is not None or _is_example(written)):
            return examples[0].source
    _check_python(written)
    if value is None:
        return _one_case(written, plan)
    if plan.name not in loaded(value):
        raise BadInput(FIELD, f"Write the call as well, like {plan.name}(...) == 4.")
    if not _claims(value):
        raise BadInput(FIELD, f"Write what it gives as well, like {plan.name}(...) == 4.")
    return _one_case(f"assert {ast.unparse(value)}", plan)


def _is_code(written: str) -> bool:
    """Whether it is statements as they stand, with an assert."""
    tree = parse(written)
    return tree is not None and any(isinstance(node, ast.Assert) for node in ast.walk(tree))


def _is_example(written: str) -> bool:
    """Whether it is nothing but an example: of a sentence only a part would be read."""
    sides = _GIVES.split(written)
    return written.startswith(">>>") or (len(sides) == 2 and all(map(expression, sides)))


def _claims(value: ast.expr) -> bool:
    """Whether it is true or false by its form, so that nobody can have forgotten the result."""
    if isinstance(value, ast.Call):
        return isinstance(value.func, ast.Name) and value.func.id in _PREDICATES
    negated = isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.Not)
    return negated or isinstance(value, (ast.Compare, ast.BoolOp))


def _written(text: str, form: str) -> str:
    written = text.replace("\r\n", "\n").strip()
    if not written:
        raise BadInput(FIELD, f"Write what is right: {form}.")
    if len(written) > LONGEST:
        raise BadInput(FIELD, f"A case can have at most {LONGEST:,} characters.")
    return written


def _check_python(written: str) -> None:
    tree, line = attempt(written)
    if tree is None or not compiles(written):
        where = f" (line {line})" if line and "\n" in written else ""
        raise BadInput(FIELD, f"Python can't read this{where}. Write it like assert f(2) == 4.")


def _whole(written: str, case: Case, plan: Plan) -> str:
    """The text as statements: a bare value goes where the case has its own."""
    value = expression(written)
    if value is None:
        return written
    if plan.name in loaded(value):
        if isinstance(value, ast.Tuple):
            raise BadInput(FIELD, SEVERAL)
        return f"assert {ast.unparse(value)}"
    call, _ = sides(shown(case))
    if not call:
        raise BadInput(
            FIELD,
            "This case compares nothing, so a value alone can't stand for it. Write an "
            f"assert that calls {plan.name}.",
        )
    before = parse(shown(case))
    assert before is not None  # `sides` read it
    setup = [ast.unparse(node) for node in before.body[:-1]]
    return "\n".join([*setup, f"assert {call} == {ast.unparse(value)}"])


def _one_case(source: str, plan: Plan) -> str:
    tree = parse(source)
    if tree is None:
        raise BadInput(FIELD, "Python can't read this. Write it like assert f(2) == 4.")
    asserts = sum(isinstance(node, ast.Assert) for node in tree.body)
    found = list(written_tests(source, plan))
    if asserts > 1 or len(found) > 1:
        raise BadInput(FIELD, SEVERAL)
    if not found:
        if not any(isinstance(node, (ast.Assert, ast.Raise, ast.With)) for node in ast.walk(tree)):
            raise BadInput(
                FIELD, f"Nothing is asserted. Write it like assert {plan.name}(...) == 4."
            )
        if plan.name not in loaded(tree):
            raise BadInput(FIELD, f"It never reaches {plan.name}, so it tests nothing of the code.")
        raise BadInput(
            FIELD,
            f"It uses a name that is not there, or changes {plan.name}. Write it like "
            f"assert {plan.name}(...) == 4.",
        )
    case = "\n".join([*found[0].setup, found[0].check])
    if _statements(_tree(case)) < _statements(tree):
        raise BadInput(FIELD, "A line of it has no part in the assert. Write only what it needs.")
    if is_tautology(exact(_tree(case)).body[-1]):
        raise BadInput(FIELD, "This holds whatever the code does. Compare a call with a value.")
    return tolerant(case)


def _statements(tree: ast.Module) -> int:
    return sum(not isinstance(node, (ast.Import, ast.ImportFrom)) for node in tree.body)


def find_same(source: str, suite: Iterable[Case]) -> Case | None:
    """The case that says the same, in whatever layout; one that counts before others."""
    found = [case for case in suite if same_case(source, case.source)]
    return next((case for case in found if case.counts), found[0] if found else None)


def find_contradicted(source: str, suite: Iterable[Case]) -> Case | None:
    """The case that counts and says otherwise of the same call; one of the user's before others."""
    claim = _claim(source)
    found = [case for case in suite if case.counts and _contradict(claim, _claim(case.source))]
    return next((case for case in found if case.is_yours), found[0] if found else None)


def check_own(field: str, source: str, suite: Iterable[Case]) -> None:
    """Raises BadInput about `field` where a case of the user's own says otherwise."""
    other = find_contradicted(source, suite)
    if other is not None and other.is_yours:
        raise BadInput(
            field, f"A case of your own says otherwise: {shown(other)}. Both can't be right."
        )


def same_case(one: str, other: str) -> bool:
    """Whether two sources say the same, whatever their layout."""
    a, b = _claim(one), _claim(other)
    alike = a.call == b.call != "" and a.raises == b.raises and a.value == b.value
    return a.key == b.key or (alike and type(a.value) is type(b.value))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Claim:
    """What a case says: `call` (with what goes before it) gives `value`, or an error `raises`.

    `key` is equal for copies. `call` is '' where the case says something else, or no literal.
    """

    key: str
    call: str = ""
    value: object = None
    raises: str = ""


def _contradict(one: _Claim, other: _Claim) -> bool:
    if not one.call or one.call != other.call:
        return False
    if one.raises or other.raises:
        return not (one.raises and other.raises)  # one may be the other's subclass
    return one.value != other.value


def _claim(source: str) -> _Claim:
    body = exact(_tree(source)).body
    parts = [fingerprint(node) for node in body]
    key = "\n".join(parts)
    said = _said(body[-1]) if body else None
    if said is None:
        return _Claim(key=key)
    call, value, raises = said
    return _Claim(
        key=key, call="\n".join([*parts[:-1], fingerprint(call)]), value=value, raises=raises
    )


def _said(statement: ast.stmt) -> tuple[ast.expr, object, str] | None:
    """A call, and the value that it gives or the error that it raises; None for all else."""
    match statement:
        case ast.Assert(test=ast.Compare()):
            found = compared(statement)
            try:
                return (found[0], ast.literal_eval(found[1]), "") if found else None
            except (*NOT_PYTHON, TypeError):
                return None
        case ast.Try(
            body=[ast.Expr(value=ast.Call() as call)], handlers=[ast.ExceptHandler(type=error)]
        ):
            return call, None, ast.unparse(error) if error else "Exception"
    return None


def _tree(source: str) -> ast.Module:
    return parse(source) or ast.Module(body=[], type_ignores=[])
