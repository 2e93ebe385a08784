"""The `sandbox.packages` list: what may be asked of the package index, and nothing else of pip."""

from __future__ import annotations

import re

from yaml.nodes import Node

from core.config.nodes import ALIAS_TAG, items
from core.config.problems import Problems

MAX_PACKAGES = 50
_EXAMPLE = 'Write it like "numpy" or "pandas==2.2.*"'
_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_VERSION = r"(?:~=|===|==|!=|<=|>=|<|>)\s*[A-Za-z0-9][A-Za-z0-9.+!_-]*(?:\.\*)?"
_REQUIREMENT = re.compile(
    rf"(?P<name>{_NAME})\s*(?P<extras>\[\s*{_NAME}(?:\s*,\s*{_NAME})*\s*\])?"
    rf"\s*(?P<versions>{_VERSION}(?:\s*,\s*{_VERSION})*)?"
)
# pip takes a file of such a name for the package itself.
_ARCHIVE = re.compile(r"\.(whl|zip|tar|tgz|tbz|txz|gz|bz2|xz|lzma)$", re.IGNORECASE)


def canonical(requirement: str) -> str:
    """The name that the index knows a requirement's package by."""
    found = re.match(_NAME, requirement)
    return re.sub(r"[-_.]+", "-", found.group() if found else requirement).lower()


def read_packages(problems: Problems, node: Node, path: str) -> tuple[str, ...] | None:
    """Requirement strings, each without blanks; None after noting what is wrong."""
    mend = 'Write them like ["numpy", "pandas==2.2.*"]'
    listed = items(problems, node, path, "a list of packages", mend)
    if listed is None:
        return None
    if len(listed) > MAX_PACKAGES:
        mend = "The packages that these need come by themselves"
        problems.add(node, path, f"more than {MAX_PACKAGES} packages", mend)
        return None
    found: dict[str, str] = {}
    for index, item in enumerate(listed):
        where = f"{path}[{index}]"
        requirement = _requirement(problems, item, where)
        if requirement is None:
            continue
        if canonical(requirement) in found:
            message = f"the package {canonical(requirement)} is there twice"
            problems.add(item, where, message, "Remove one of them")
        found[canonical(requirement)] = requirement
    return tuple(found.values())


def _requirement(problems: Problems, node: Node, path: str) -> str | None:
    if node.tag != "tag:yaml.org,2002:str" or not isinstance(node.value, str):
        if node.tag != ALIAS_TAG:
            problems.add(node, path, "should be a package's name", _EXAMPLE)
        return None
    text = node.value.strip()
    fault = _fault(text)
    if fault:
        problems.add(node, path, fault, _EXAMPLE)
        return None
    return re.sub(r"\s+", "", text)


def _fault(text: str) -> str:
    """What is wrong with a requirement; '' for a good one."""
    if not text or len(text) > 200 or not text.isprintable():
        return "the text is empty, too long or holds control characters"
    if text.startswith("-"):
        return "this is an option of pip"
    if "://" in text or "@" in text:
        return "this is a URL: packages come from the package index alone"
    if "/" in text or "\\" in text or text.startswith((".", "~")):
        return "this is a path: packages come from the package index alone"
    if ";" in text or "#" in text:
        return "the requirement has a condition or a comment"
    good = _REQUIREMENT.fullmatch(text)
    if good is None:
        return "this is no package with an optional version"
    return "this is the name of a file" if _ARCHIVE.search(good["name"]) else ""
