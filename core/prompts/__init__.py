"""What each model is told: one Jinja template per purpose, and nothing left out silently.

A template is the user's message, or how the reply to it begins; a variable that it names and does
not get is an error.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined

PURPOSES = ("strategy", "code", "begin", "tests", "escalate", "triage", "evaluate")


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("core", "prompts"),
        undefined=StrictUndefined,
        # The text goes to a model, never to a page.
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=False,
    )


def render(purpose: str, **values: object) -> str:
    """The prompt for `purpose`, one of PURPOSES; jinja2.UndefinedError if a value is missing."""
    return _environment().get_template(f"{purpose}.j2").render(values).strip() + "\n"


def digest() -> str:
    """12 hex characters that change whenever a template does; results are kept with it."""
    texts = [one for one in files("core.prompts").iterdir() if one.name.endswith(".j2")]
    whole = "".join(one.read_text("utf-8") for one in sorted(texts, key=lambda one: one.name))
    return hashlib.sha256(whole.encode()).hexdigest()[:12]
