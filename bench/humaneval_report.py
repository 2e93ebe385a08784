"""The report, in Markdown, from records alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import combinations

from bench.humaneval_figures import median, p90, paired, wilson
from bench.humaneval_records import STRONGEST_ALONE, WITHOUT_EXAMPLES, Record
from core.verdict import AGREE, BY_LARGER

ORDER = ("small", "large", "seed", "ours", WITHOUT_EXAMPLES, STRONGEST_ALONE)
VOTING = ("ours", WITHOUT_EXAMPLES, STRONGEST_ALONE)
NOTES = """\
Solved: the final code, as it is, passes the task's official test, which no arm ever sees. Tasks
whose official test the sandbox could not run are not judged, and count nowhere else. Intervals are
95 %: Wilson's for shares, the percentile bootstrap over tasks for differences; p is of the exact
McNemar test. Tokens are the servers' own counts; in: prompts, out: replies. Seconds are a
task's from its goal to its final code, without the official test; replies of earlier runs given
again are added one after the other, so there they are an upper bound."""


def report(records: Sequence[Record]) -> str:
    """All tables; of several records of one arm and task the last one counts."""
    latest = {(record.arm, record.task): record for record in records}
    arms: dict[str, list[Record]] = {}
    for arm in sorted({arm for arm, _ in latest}, key=_place):
        arms[arm] = sorted(
            (record for (name, _), record in latest.items() if name == arm),
            key=lambda record: record.task,
        )
    parts = ["# HumanEval", *_head(list(latest.values())), NOTES]
    parts += ["## Solved", _table(_solved(arms))]
    parts += ["## What a green run is worth", _table(_greens(arms))]
    parts += ["## The same tasks, two arms", _table(_pairs(arms))]
    parts += ["## Tokens", _table(_tokens(arms)), *_saving(arms)]
    return "\n\n".join(parts) + "\n"


def _place(arm: str) -> tuple[int, str]:
    return (ORDER.index(arm) if arm in ORDER else len(ORDER), arm)


def _head(records: Sequence[Record]) -> Iterator[str]:
    """What the figures hold for; more than one of a kind is said, not hidden."""
    if not records:
        yield "No results yet."
        return
    settings = [record.setting for record in records]

    def several(name: str) -> str:
        return ", ".join(sorted({getattr(setting, name) for setting in settings}))

    for name in ("date", "prompts", "commit", "machine"):
        yield f"- {name}: {several(name)}"
    for run in sorted({tuple(sorted(setting.run.items())) for setting in settings if setting.run}):
        yield "- run settings: " + ", ".join(f"{name} {value:g}" for name, value in run)
    if again := sum(record.given_again > 0 for record in records):
        yield f"- replies of earlier runs given again: in {again} of {len(records)} tasks"
    for models in sorted({tuple(sorted(setting.models.items())) for setting in settings}):
        yield "- models: " + ", ".join(f"{role} {model}" for role, model in models)


def _judged(records: Sequence[Record]) -> list[Record]:
    return [record for record in records if record.right is not None]


def _called(records: Sequence[Record]) -> list[Record]:
    return [record for record in _judged(records) if record.answer.outcome == "passed"]


def _right(records: Sequence[Record]) -> int:
    return sum(record.right is True for record in records)


def _solved(arms: dict[str, list[Record]]) -> Iterator[Sequence[str]]:
    yield (
        *("arm", "tasks", "solved", "share", "95 %", "official test timed out", "not judged"),
        *("median s", "p90 s", "calls a task"),
    )
    for arm, records in arms.items():
        judged = _judged(records)
        seconds = [record.seconds for record in records]
        yield (
            *(arm, str(len(records)), str(_right(judged)), *_share(_right(judged), len(judged))),
            str(sum(record.official == "timeout" for record in records)),
            str(len(records) - len(judged)),
            *(f"{median(seconds):.1f}", f"{p90(seconds):.1f}"),
            f"{sum(record.answer.calls for record in records) / len(records):.1f}",
        )


def _greens(arms: dict[str, list[Record]]) -> Iterator[Sequence[str]]:
    yield "arm", "called passed by", "runs", "right", "share", "95 %"
    for arm, records in arms.items():
        if not any(record.answer.outcome for record in records):
            continue
        called = _called(records)
        groups = {"all together": called}
        for record in called:
            groups.setdefault(_basis(record), []).append(record)
        for record in called if arm in VOTING else ():
            groups.setdefault(_witnesses(record), []).append(record)
        for basis, group in groups.items():
            right = _right(group)
            yield arm, basis, str(len(group)), str(right), *_share(right, len(group))
        rest = [record for record in _judged(records) if record.answer.outcome != "passed"]
        for outcome in sorted({record.answer.outcome for record in rest}):
            group = [record for record in rest if record.answer.outcome == outcome]
            right = _right(group)
            yield arm, f"(ended {outcome})", str(len(group)), str(right), *_share(right, len(group))


def _basis(record: Record) -> str:
    kinds = (("own cases", record.answer.own), ("generated cases", record.answer.generated))
    found = [kind for kind, (_, of) in kinds if of]
    return " and ".join(found) if len(found) > 1 else f"{found[0]} only" if found else "no case"


def _witnesses(record: Record) -> str:
    """Whose the code is, and whether another program agrees, as the verdict says."""
    whose = "a later draft" if BY_LARGER in record.answer.reason else "the first draft"
    if "Mended on" in record.answer.reason:
        whose = "a mended one"
    return f"{whose}, {'others agree' if AGREE in record.answer.reason else 'alone'}"


def _pairs(arms: dict[str, list[Record]]) -> Iterator[Sequence[str]]:
    yield "first", "second", "tasks", "only first", "only second", "points", "95 %", "p"
    right = {arm: {r.task: r.right is True for r in _judged(rs)} for arm, rs in arms.items()}
    for second, first in combinations(arms, 2):
        both = sorted(right[first].keys() & right[second].keys())
        if not both:
            continue
        found = paired([(right[first][task], right[second][task]) for task in both])
        yield (
            *(first, second, str(found.tasks), str(found.only_first), str(found.only_second)),
            f"{100 * found.difference:+.1f}",
            f"{100 * found.low:+.1f} to {100 * found.high:+.1f}",
            f"{found.p:.3f}",
        )


def _tokens(arms: dict[str, list[Record]]) -> Iterator[Sequence[str]]:
    yield "arm", "model", "in", "out", "in a task", "out a task"
    for arm, records in arms.items():
        spent_in, spent_out = _spent(records, "tokens_in"), _spent(records, "tokens_out")
        for model in sorted(spent_in.keys() | spent_out.keys()):
            sums = (spent_in[model], spent_out[model])
            each = (f"{count / len(records):,.0f}" for count in sums)
            yield arm, model, *(f"{count:,}" for count in sums), *each


def _spent(records: Sequence[Record], which: str) -> Counter[str]:
    spent: Counter[str] = Counter()
    for record in records:
        spent.update(getattr(record.answer, which))
    return spent


def _saving(arms: dict[str, list[Record]]) -> Iterator[str]:
    """The strong model's tokens, against the same flow with it in every role."""
    whole = {record.task: record for record in arms.get(STRONGEST_ALONE, ())}
    for arm in ("seed", "ours"):
        mine = {record.task: record for record in arms.get(arm, ())}
        both = mine.keys() & whole.keys()
        yard = [whole[task] for task in both]
        for model in sorted(_spent(yard, "tokens_out")):
            parts = []
            for which, word in (("tokens_in", "in"), ("tokens_out", "out")):
                part = _spent([mine[task] for task in both], which)[model]
                of = _spent(yard, which)[model]
                parts.append(f"{part:,} of {of:,} {word} ({100 * part / max(of, 1):.0f} %)")
            text = ", ".join(parts)
            yield (f"Tokens of {model}, {arm} of {STRONGEST_ALONE}, {len(both)} tasks: {text}.")


def _share(hits: int, of: int) -> tuple[str, str]:
    low, high = wilson(hits, of)
    if not of:
        return "", ""
    return f"{100 * hits / of:.1f} %", f"{100 * low:.1f} to {100 * high:.1f}"


def _table(rows: Iterator[Sequence[str]]) -> str:
    head, *body = rows
    lines = [head, ["---"] * len(head), *body]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
