"""The vendored files are the publishers' own, and nothing is loaded from elsewhere."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from webui import highlight

ROOT = Path(__file__).parent.parent
VENDOR = ROOT / "static" / "vendor"


def test_each_file_has_the_hash_that_the_list_gives_and_none_is_unlisted() -> None:
    listed = dict(
        re.findall(
            r"^\| (\S+) \| .* \| ([0-9a-f]{64}) \|$", (VENDOR / "VENDOR.md").read_text(), re.M
        )
    )
    found = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in VENDOR.iterdir()
        if path.name != "VENDOR.md"
    }
    assert found == listed


def test_templates_and_own_styles_name_no_other_host() -> None:
    files = [*(ROOT / "templates").glob("*.html"), ROOT / "static/app.css", ROOT / "static/run.js"]
    for path in files:
        links = re.findall(r"""(?:src|href|url\()\s*=?\s*["']?(https?:)?//""", path.read_text())
        assert links == [], path.name


def test_templates_have_no_inline_script_style_or_handler() -> None:
    for path in (ROOT / "templates").glob("*.html"):
        text = path.read_text()
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|hx-on|javascript:", text), path.name
        for tag in re.findall(r"<script[^>]*>", text):
            assert "src=" in tag, path.name


def test_the_highlighting_stylesheet_is_what_pygments_gives() -> None:
    assert (ROOT / "static" / "highlight.css").read_text() == highlight.stylesheet()
