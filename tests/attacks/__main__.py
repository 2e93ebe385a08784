"""Print the table of attacks by way as Markdown.

python -m tests.attacks [--way NAME] [number ...]
"""

from __future__ import annotations

import argparse
import sys

from .model import DID, Attack
from .table import ATTACKS
from .ways import WAYS, Outcome, run_way


def main() -> int:
    """0 when every attack was stopped wherever that is claimed and every control works."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--way", action="append", default=[], help="default: every way")
    parser.add_argument("--list", action="store_true", help="only name the ways")
    parser.add_argument("numbers", nargs="*", help="attacks by number; default: all")
    args = parser.parse_args()
    if args.list:
        print("\n".join(["controls", *(way.name for way in WAYS)]))
        return 0
    outcomes: dict[str, Outcome] = {}
    for way in (None, *WAYS):
        name = way.name if way else "controls"
        if not args.way or name in args.way:
            outcomes[name] = run_way(way, args.numbers)
            done = outcomes[name]
            warm = ", warm" if done.warm else ""
            said = f"{name}: rung {done.rung}{warm}, {done.seconds:.1f} s; {'; '.join(done.lacks)}"
            print(said, file=sys.stderr, flush=True)
    print(markdown(outcomes))
    bad = [f"{name}: {line}" for name, outcome in outcomes.items() for line in outcome.bad()]
    print("\n".join(["", f"{len(bad)} bad", *(f"- {line}" for line in bad)]))
    return 1 if bad else 0


def markdown(outcomes: dict[str, Outcome]) -> str:
    """A line for each attack, a column for each way with its rung."""
    heads = [
        f"{name} (rung {outcome.rung})" if outcome.rung else "outside the sandbox"
        for name, outcome in outcomes.items()
    ]
    lines = [f"| | attack | {' | '.join(heads)} |", "|---" * (len(heads) + 2) + "|"]
    for attack in ATTACKS:
        cells = [_cell(attack, outcome) for outcome in outcomes.values()]
        if set(cells) - {"", "refused"}:
            lines.append(f"| {attack.number} | {attack.name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(attack: Attack, outcome: Outcome) -> str:
    found = [finding for finding in outcome.findings if finding.number == attack.number]
    if not found:
        return "refused" if outcome.rung == "5" else ""
    last = found[-1]
    if last.outcome == "stopped":
        ending = last.how.split(" (")[0].split(",")[0]
        return "stopped" if ending == "nothing managed" else f"stopped: {ending}"
    if last.outcome in ("works", "no control"):
        return last.outcome
    if last.outcome == "not claimed":
        return f"not claimed: {last.how.split(DID)[0]}"
    return f"{last.outcome}: {last.how}".replace("|", "/").replace("\n", " ")[:120]


if __name__ == "__main__":
    sys.exit(main())
