"""The skill library: verified solutions, offered to later goals as importable modules.

A skill is two files in one folder: NAME.py, the code as it passed, and NAME.json with the goal it
solved and the line that it defines. Only solutions whose cases all passed get in.
"""

from __future__ import annotations

import json
import logging
import math
import os
import re
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from core.log import storage_errors

logger = logging.getLogger(__name__)

# Words that goals share whatever they are about.
_STOP = frozenset(
    re.findall(
        r"\w+",
        """a an and are as at be by code def else for from function given goal if in input into is
        it its of on or output program python return returns should that the this to use using
        which with write create make implement class method value values""",
    )
)
MIN_LIKENESS = 0.45


@dataclass(frozen=True, slots=True, kw_only=True)
class Skill:
    """A verified solution: `name` is its module, `signature` the line that it defines.

    `withdrawn` says why it is offered no longer, '' for one that is.
    """

    name: str
    signature: str
    goal: str
    run_id: str
    source: str
    withdrawn: str = ""


class SkillLibrary:
    """The skills in one folder. Safe for several processes: each file appears whole."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def all(self) -> tuple[Skill, ...]:
        """Every skill, by name."""
        skills = []
        for meta in sorted(self._folder.glob("*.json")):
            try:
                source = meta.with_suffix(".py").read_text("utf-8")
                skills.append(Skill(source=source, **json.loads(meta.read_text("utf-8"))))
            except (OSError, ValueError, TypeError) as error:
                logger.warning("Skill %s is left out: %s", meta.stem, error)
        return tuple(skills)

    def search(self, goal: str, limit: int = 3) -> tuple[Skill, ...]:
        """Up to `limit` skills whose goals are like this one, best first; none that is withdrawn.

        Likeness is the cosine of the goals' word counts, weighted by inverse document frequency.
        """
        skills = [skill for skill in self.all() if not skill.withdrawn]
        documents = [_words(skill.goal) for skill in skills]
        wanted = _words(goal)
        rarity = _rarity([*documents, wanted])
        scored = [
            (_cosine(wanted, document, rarity), skill)
            for document, skill in zip(documents, skills, strict=True)
        ]
        best = sorted(scored, key=lambda pair: (-pair[0], pair[1].name))
        return tuple(skill for likeness, skill in best if likeness >= MIN_LIKENESS)[:limit]

    def get(self, names: Sequence[str]) -> tuple[Skill, ...]:
        """The skills of these names; unknown ones are left out."""
        wanted = set(names)
        return tuple(skill for skill in self.all() if skill.name in wanted)

    def remember(self, *, name: str, signature: str, goal: str, run_id: str, source: str) -> str:
        """Keep a verified solution; its module name, the old one's if the code is known already.

        StorageError when the folder can't be written.
        """
        with storage_errors(self._folder):
            for skill in self.all():
                if skill.withdrawn and skill.source == source:
                    return self._keep(skill.name, signature, goal, run_id, source)
                if not skill.withdrawn and (skill.source == source or skill.run_id == run_id):
                    return skill.name
            self._folder.mkdir(parents=True, exist_ok=True)
            taken = {path.stem for path in self._folder.glob("*.py")}
            return self._keep(
                _free_name(_module_name(name), taken), signature, goal, run_id, source
            )

    def withdraw(self, name: str, run_id: str, reason: str) -> bool:
        """Offer the skill no longer; False if it is not one of this run's.

        Its module stays, because code of other runs may import it. StorageError as `remember`.
        """
        found = next((s for s in self.all() if s.name == name and s.run_id == run_id), None)
        if found is None:
            return False
        with storage_errors(self._folder):
            self._describe(replace(found, withdrawn=reason))
        return True

    def _keep(self, module: str, signature: str, goal: str, run_id: str, source: str) -> str:
        skill = Skill(name=module, signature=signature, goal=goal, run_id=run_id, source=source)
        # The code first: a skill counts from the moment its description is there.
        self._write(module + ".py", source)
        self._describe(skill)
        return module

    def _describe(self, skill: Skill) -> None:
        fields = asdict(skill)
        del fields["source"]
        self._write(skill.name + ".json", json.dumps(fields, ensure_ascii=False, indent=1))

    def _write(self, file_name: str, text: str) -> None:
        handle, temporary = tempfile.mkstemp(dir=self._folder)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(temporary).replace(self._folder / file_name)


def offer(skills: Sequence[Skill]) -> str:
    """The skills as the lines that a prompt shows; '' for none."""
    return "\n".join(
        f"- `from {skill.name} import ...` gives {skill.signature or skill.name}"
        f"  # {' '.join(skill.goal.split())[:120]}"
        for skill in skills
    )


def _module_name(name: str) -> str:
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    snake = re.sub(r"\W+", "_", snake).strip("_").lower() or "solution"
    return f"skill_{snake}"


def _free_name(name: str, taken: set[str]) -> str:
    numbered = (f"{name}_{n}" for n in range(2, len(taken) + 3))
    return name if name not in taken else next(n for n in numbered if n not in taken)


def _words(text: str) -> Counter[str]:
    words = re.findall(r"[a-z]+|\d+", text.lower())
    return Counter(word.rstrip("s") for word in words if word not in _STOP and len(word) > 1)


def _rarity(documents: Sequence[Counter[str]]) -> dict[str, float]:
    seen = Counter(word for document in documents for word in document)
    return {word: 1 + math.log(len(documents) / count) for word, count in seen.items()}


def _cosine(a: Counter[str], b: Counter[str], rarity: dict[str, float]) -> float:
    def length(words: Counter[str]) -> float:
        return math.sqrt(sum((count * rarity[word]) ** 2 for word, count in words.items()))

    shared = sum(a[word] * b[word] * rarity[word] ** 2 for word in a.keys() & b.keys())
    return shared / (length(a) * length(b)) if shared else 0.0
