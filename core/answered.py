"""What the user's answers make of a suite and of executions that were given another suite.

Pure: the fold puts answers in force with these, and whoever executes asks them what is missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from core.events import Case, CaseAnswered, CaseResult, ExecutionFinished

NO_CASE_LEFT = "no case is left that counts, so nothing is proved"
NOT_EXECUTED = "not executed yet"


def in_force(cases: Iterable[Case], answers: Iterable[CaseAnswered]) -> tuple[Case, ...]:
    """The suite with all `answers` applied in order; answers that it has already change nothing.

    No case is taken away: what is wrong is marked as rejected.
    """
    suite = tuple(replace(case, confirmed=False, rejected=False) for case in cases)
    for answer in answers:
        suite = _with(suite, answer)
    return suite


def _with(cases: tuple[Case, ...], answer: CaseAnswered) -> tuple[Case, ...]:
    known = next((case for case in cases if case.id == answer.case), None)
    if known is None and answer.answer == "add":
        return (*cases, Case(id=answer.added, source=answer.source, origin="yours", added=True))
    if known is None or not takes_answer(known):
        return cases
    suite = []
    for case in cases:
        if case.id == answer.case:
            yes = answer.answer in ("yes", "add")
            suite.append(replace(case, confirmed=yes and not case.added, rejected=not yes))
        elif case.instead_of == answer.case:
            # What an earlier edit put there, unless this is that edit.
            suite.append(replace(case, rejected=case.id != answer.added))
        else:
            suite.append(case)
    if answer.answer == "edit" and not any(case.id == answer.added for case in suite):
        added = Case(id=answer.added, source=answer.source, origin="yours", instead_of=answer.case)
        suite.append(added)
    return tuple(suite)


def takes_answer(case: Case) -> bool:
    """Whether there is anything to say of it: not of an example of the goal, nor of an edit."""
    return case.origin == "generated" or case.added


def with_results(
    known: Sequence[CaseResult], newer: Sequence[CaseResult]
) -> tuple[CaseResult, ...]:
    """All that is known of a candidate's cases: the newer result of each that ran."""
    by_id = {result.id: result for result in known}
    by_id |= {result.id: result for result in newer if result.result != "not_run"}
    return tuple(by_id.values())


def must_execute(
    execution: ExecutionFinished, known: Sequence[CaseResult], cases: Sequence[Case]
) -> bool:
    """Whether only another execution can tell how its candidate does on these cases.

    A pass always rests on an execution that passed; a failure may be known from earlier ones.
    """
    counted = [case.id for case in cases if case.counts]
    given = {result.id for result in execution.cases}
    if not counted:
        return False
    if given == set(counted) or (execution.status == "passed" and given >= set(counted)):
        return False
    results = {result.id: result.result for result in known}
    found = [results.get(case) for case in counted]
    return None in found or all(result == "passed" for result in found)


def judged(
    execution: ExecutionFinished, known: Sequence[CaseResult], cases: Sequence[Case]
) -> ExecutionFinished:
    """The execution as these cases see it: those that count, each with what is known of it.

    Where `must_execute` holds it is no pass, whatever is known.
    """
    counted = [case.id for case in cases if case.counts]
    if [result.id for result in execution.cases] == counted:
        return execution
    by_id = {result.id: result for result in known}
    unknown = [CaseResult(id=case, result="not_run", message=NOT_EXECUTED) for case in counted]
    results = tuple(by_id.get(result.id, result) for result in unknown)
    bad = [result for result in results if result.result != "passed"]
    if results and not bad and execution.status == "passed":
        return replace(execution, cases=results)
    first = bad[0] if bad else None
    message = NO_CASE_LEFT if not results else execution.message
    if first is not None:
        message = (
            f"{len(bad)} of {len(results)} cases did not pass; first {first.id}: {first.message}"
        )
    status = "failed" if execution.status == "passed" else execution.status
    return replace(execution, cases=results, status=status, message=message)
