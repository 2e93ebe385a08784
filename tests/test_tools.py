"""The skill library: found by likeness, offered whole, never a reason for a run to fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import StorageError
from core.tools import SkillLibrary, offer


@pytest.fixture
def library(tmp_path: Path) -> SkillLibrary:
    return SkillLibrary(tmp_path / "skills")


def keep(library: SkillLibrary, goal: str, name: str = "f", run_id: str = "r") -> str:
    return library.remember(
        name=name,
        signature=f"def {name}(x):",
        goal=goal,
        run_id=run_id,
        source=f"def {name}(x):\n    return {goal!r}\n",
    )


def test_finds_goals_that_are_alike_and_no_others(library: SkillLibrary) -> None:
    keep(library, "convert a roman numeral to an integer", "from_roman", "r1")
    keep(library, "slugify a title for a URL", "slugify", "r2")
    found = library.search("write a function that converts roman numerals into integers")
    assert [skill.name for skill in found] == ["skill_from_roman"]
    assert library.search("play a game of chess against the user") == ()


def test_the_same_code_is_kept_once(library: SkillLibrary) -> None:
    assert keep(library, "one goal", run_id="r1") == keep(library, "one goal", run_id="r2")
    assert keep(library, "another goal", run_id="r3") == "skill_f_2"
    assert len(library.all()) == 2


def test_an_offer_names_module_signature_and_goal(library: SkillLibrary) -> None:
    keep(library, "slugify a title", "slugify")
    line = offer(library.all())
    assert "from skill_slugify import" in line
    assert "def slugify(x):" in line
    assert "slugify a title" in line


def test_a_broken_skill_is_left_out(library: SkillLibrary, tmp_path: Path) -> None:
    keep(library, "slugify a title", "slugify")
    (tmp_path / "skills" / "skill_bad.json").write_text("{")
    (tmp_path / "skills" / "skill_bad.py").write_text("")
    (tmp_path / "skills" / "skill_alone.json").write_text("{}")
    assert [skill.name for skill in library.all()] == ["skill_slugify"]


def test_a_folder_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "skills").write_text("a file in the way")
    with pytest.raises(StorageError, match="skills"):
        keep(SkillLibrary(tmp_path / "skills"), "a goal")
