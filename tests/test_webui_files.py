"""Files on the pages and in the API, the panel "Try it", and what pages say of the sandbox."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import run_scripts
from flask.testing import FlaskClient
from test_tryout import PROGRAM, written
from test_webui_pages import token
from web_services import Web
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.test import TestResponse, encode_multipart

import webui
from core import events as ev
from core.sandbox import Limits, Rung, Sandbox
from core.sandbox.installed import Package, PackagesState
from core.sandbox.packages import Packages
from webui.tries import MAX_KEPT, LastTries, Shown

EVIL = "<script>alert(1)</script>"
MIB = 1024 * 1024


def post(browser: FlaskClient, path: str, *files: tuple[bytes, str], **fields: str) -> TestResponse:
    """A form with files as a browser without JS sends it."""
    values: list[tuple[str, Any]] = [("csrf", token(browser)), *fields.items()]
    for content, name in files or [(b"", "")]:
        values.append(("files", FileStorage(io.BytesIO(content), filename=name)))
    boundary, body = encode_multipart(MultiDict(values))
    return browser.post(path, data=body, content_type=f"multipart/form-data; boundary={boundary}")


def test_a_goal_brings_files_that_the_run_shows_and_hands_back(
    site: Web, browser: FlaskClient
) -> None:
    answer = post(browser, "/runs", (b"<b>", "a b.html"), ("é".encode(), "e\u0301.txt"), goal="add")
    assert answer.status_code == 303
    run_id = answer.location.rpartition("/")[2]
    assert site.services.log.files(run_id) == {"a b.html": b"<b>", "é.txt": "é".encode()}
    page = browser.get(answer.location).get_data(as_text=True)
    assert "a b.html</a> <small>3 bytes" in page
    link = re.search(r'href="(/runs/[^"]*/files/a%20b.html)"', page)
    assert link is not None
    got = browser.get(link[1])
    assert got.data == b"<b>"
    assert got.mimetype == "application/octet-stream"
    assert got.headers["Content-Disposition"].startswith("attachment;")
    assert got.headers["X-Content-Type-Options"] == "nosniff"
    assert browser.get(f"/runs/{run_id}/files/other").status_code == 404
    assert browser.get("/runs/none/files/other").status_code == 404
    # Asked again, the run can have them again, and others too.
    page = browser.get(f"/?again={run_id}").get_data(as_text=True)
    assert "a b.html and é.txt" in page
    answer = post(browser, "/runs", (b"new", "c"), goal="add", files_from=run_id)
    assert set(site.services.log.files(answer.location.rpartition("/")[2])) == {
        *("a b.html", "é.txt", "c")
    }


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ([(b"x", "../x")], "its name has a slash"),
        ([(b"x", "-rf")], "its name starts with"),
        ([(b"x", "solution.py")], "own code may have this name"),
        ([(b"x", "a"), (b"y", "a")], "Two files are called a"),
        ([(b"x", f"{n}") for n in range(21)], "21 files are too many"),
        ([(b"x" * (4 * MIB + 1), "big")], "at most 4 MiB are taken"),
    ],
)
def test_files_that_cant_be_taken_are_told_and_the_goal_stays(
    site: Web, browser: FlaskClient, files: list[tuple[bytes, str]], why: str
) -> None:
    answer = post(browser, "/runs", *files, goal="my goal")
    page = answer.get_data(as_text=True)
    assert answer.status_code == 400
    assert why in page
    assert "my goal</textarea>" in page
    assert 'aria-describedby="files-problem"' in page
    assert "Choose your files again" in page
    assert site.services.log.history() == ()


def test_far_too_much_is_refused_with_a_clear_word(site: Web, browser: FlaskClient) -> None:
    answer = post(browser, "/runs", (b"x" * 18 * MIB, "big"), goal="g")
    assert answer.status_code == 413
    assert "At most 17 MiB can be sent at once" in answer.get_data(as_text=True)
    answer = post(browser, "/runs", goal="x" * 2 * MIB)
    assert answer.status_code == 413
    assert "A text can have at most 1 MiB. Shorten it." in answer.get_data(as_text=True)
    # Elsewhere no files are expected, and the cap is the old one.
    answer = post(browser, "/settings/overseer", (b"x" * 2 * MIB, "big"), model="m")
    assert answer.status_code == 413
    assert "At most 1 MiB" in answer.get_data(as_text=True)


def test_the_api_takes_files(site: Web, browser: FlaskClient) -> None:
    encoded = base64.b64encode(b"\x00\xff").decode()
    listed = [{"name": "t.txt", "text": "é"}, {"name": "b", "base64": encoded}]
    answer = browser.post("/api/runs", json={"goal": "add", "files": listed})
    assert answer.status_code == 201
    run_id = answer.json["id"] if answer.json else ""
    assert site.services.log.files(run_id) == {"t.txt": "é".encode(), "b": b"\x00\xff"}
    state = browser.get(f"/api/runs/{run_id}").json
    assert state is not None
    assert [(one["name"], one["size_bytes"]) for one in state["files"]] == [("b", 2), ("t.txt", 2)]
    for wrong in (7, [7], [{"name": "a"}], [{"name": "a", "base64": "?"}], [{"text": "a"}]):
        refused = browser.post("/api/runs", json={"goal": "add", "files": wrong})
        assert refused.status_code == 400
        assert refused.json is not None
        assert refused.json["error"]["field"].startswith("files")


def test_a_program_can_be_tried_without_javascript(site: Web, browser: FlaskClient) -> None:
    run_id = written(site, PROGRAM, a=b"A")
    page = browser.get(f"/runs/{run_id}").get_data(as_text=True)
    assert 'id="tryout"' in page
    assert "besides a.txt" not in page  # RunStarted of this log does not tell of it
    answer = post(
        browser,
        f"/runs/{run_id}/try",
        (b"B", "b.txt"),
        arguments="--all 'two words'",
        stdin=f"in {EVIL}\r\n",
    )
    assert answer.status_code == 303
    assert answer.location.endswith(f"/runs/{run_id}#tryout")
    page = browser.get(answer.location).get_data(as_text=True)
    assert "exit code 3" in page
    assert "[&#39;--all&#39;, &#39;two words&#39;] IN &lt;SCRIPT&gt;" in page
    assert EVIL not in page
    assert "b.txt B" in page
    assert "secret: a symbolic link, not a plain file" in page
    assert 'value="--all &#39;two words&#39;"' in page  # what was typed stays
    link = re.search(rf'href="(/runs/{run_id}/try/[0-9a-f]+/0)"', page)
    assert link is not None
    got = browser.get(link[1])
    assert got.data == b"a,b\n"
    assert got.mimetype == "application/octet-stream"
    assert got.headers["Content-Disposition"] == "attachment; filename=out.csv"
    assert browser.get(link[1][:-1] + "1").status_code == 404
    post(browser, f"/runs/{run_id}/try")
    assert browser.get(link[1]).status_code == 404  # only the last result is kept


def test_a_call_is_offered_and_shown(site: Web, browser: FlaskClient) -> None:
    run_id = written(site, "def add(a, b):\n    return a + b\n")
    page = browser.get(f"/runs/{run_id}").get_data(as_text=True)
    assert 'placeholder="add(a, b)"' in page
    post(browser, f"/runs/{run_id}/try")
    page = browser.get(f"/runs/{run_id}").get_data(as_text=True)
    assert "You can call add(a, b)." in page
    post(browser, f"/runs/{run_id}/try", call="add(2, 3)")
    page = browser.get(f"/runs/{run_id}").get_data(as_text=True)
    assert '<pre id="try-stdout" tabindex="0">5\n</pre>' in page
    assert 'value="add(2, 3)"' in page


@pytest.mark.parametrize(
    ("fields", "field", "why"),
    [
        ({"call": "add("}, "call", "no Python expression"),
        ({"arguments": "'open"}, "arguments", "a quote that is not closed"),
    ],
)
def test_what_was_typed_wrong_is_told_at_its_field(
    site: Web, browser: FlaskClient, fields: dict[str, str], field: str, why: str
) -> None:
    run_id = written(site, PROGRAM)
    assert post(browser, f"/runs/{run_id}/try", **fields).status_code == 303
    page = browser.get(f"/runs/{run_id}").get_data(as_text=True)
    assert re.search(rf'id="try-{field}-problem" role="alert">.*?{why}', page)
    assert f'aria-invalid="true" aria-describedby="try-{field}-problem"' in page
    assert 'class="try-result"' not in page


def test_a_bad_file_for_a_try_is_told(site: Web, browser: FlaskClient) -> None:
    run_id = written(site, PROGRAM)
    post(browser, f"/runs/{run_id}/try", (b"", ".hidden"))
    page = browser.get(f"/runs/{run_id}").get_data(as_text=True)
    assert "The file .hidden is not taken" in page
    post(browser, f"/runs/{run_id}/try", (b"x" * (4 * MIB + 1), "big"))
    page = browser.get(f"/runs/{run_id}").get_data(as_text=True)
    assert "at most 4 MiB are taken" in page


def test_trying_needs_a_run_with_code_and_the_form(site: Web, browser: FlaskClient) -> None:
    assert post(browser, "/runs/none/try").status_code == 404
    site.services.log.create("r1", run_scripts.started())
    assert 'id="tryout"' not in browser.get("/runs/r1").get_data(as_text=True)
    assert browser.post("/runs/r1/try", data={}).status_code == 403


def test_the_last_results_are_bounded() -> None:
    tries = LastTries()
    for number in range(MAX_KEPT + 5):
        tries.keep(f"r{number}", Shown(token="t", arguments="", call="", stdin=""))
    assert tries.last("r4") is None
    assert tries.last("r5") is not None
    tries.keep("big", Shown(token="t", arguments="", call="", stdin="x" * 65 * MIB))
    assert tries.last("r6") is None
    assert tries.last("big") is not None


class Fixed(Sandbox):
    """A sandbox on a rung of the test's choice."""

    chosen = Rung(number="5", name="none", safe=False)

    @property
    def rung(self) -> Rung:
        return self.chosen


EVERY_PAGE = ("/", "/settings", "/endpoints", "/runs/r1", "/nowhere")


def on_rung(site: Web, rung: Rung) -> FlaskClient:
    sandbox = Fixed(Limits())
    sandbox.chosen = rung
    app = webui.create_app(replace(site.services, sandbox=sandbox), threads=8)
    run_scripts.write(site.services.log, "r1", run_scripts.passed_run())
    return app.test_client()


def test_every_page_warns_of_code_that_runs_unsandboxed(site: Web) -> None:
    lacks = ("everything but limits",)
    rung = Rung(number="5", name="unsandboxed", safe=False, lacks=lacks, mend="Install bubblewrap.")
    browser = on_rung(site, rung)
    for path in EVERY_PAGE:
        page = browser.get(path).get_data(as_text=True)
        alarm = page.partition('<div class="alarm" id="sandbox-alarm">')[2].partition("</div>")[0]
        assert "Generated code runs unsandboxed:" in alarm, path
        assert "Install bubblewrap." in alarm
        assert "It lacks everything but limits." in page
    metrics = browser.get("/metrics").get_data(as_text=True)
    assert 'codeevolver_sandbox_safe{rung="5"} 0.0' in metrics
    assert 'codeevolver_sandbox_runs_code{name="unsandboxed",rung="5"} 1.0' in metrics
    assert 'codeevolver_sandbox_lacks{what="everything but limits"} 1.0' in metrics


def test_every_page_says_where_code_is_refused(site: Web) -> None:
    lacks = ("bubblewrap is not installed",)
    browser = on_rung(site, Rung(number="5", name="none", safe=False, lacks=lacks, mend="Mend it."))
    for path in EVERY_PAGE:
        page = browser.get(path).get_data(as_text=True)
        assert 'class="alarm refused"' in page, path
        assert "Bubblewrap is not installed. Mend it." in page
    runs = 'codeevolver_sandbox_runs_code{name="none",rung="5"} 0.0'
    assert runs in browser.get("/metrics").get_data(as_text=True)


def test_a_safe_rung_is_in_every_footer_without_alarm(site: Web) -> None:
    browser = on_rung(site, Rung(number="1b", name="bubblewrap", safe=True, lacks=("a cgroup",)))
    for path in EVERY_PAGE:
        page = browser.get(path).get_data(as_text=True)
        assert "sealed off: bubblewrap (rung 1b). Not covered: a cgroup." in page, path
        assert 'class="alarm' not in page


class Stuck(Packages):
    """Packages in a state of the test's choice."""

    chosen = PackagesState(phase="none")

    @property
    def state(self) -> PackagesState:
        return self.chosen


NUMPY = Package(name="numpy", version="2.1.0", asked=True)


@pytest.mark.parametrize(
    ("state", "text"),
    [
        (PackagesState(phase="none"), ""),
        (PackagesState(phase="missing", wanted=("numpy",)), "not installed yet:</b> numpy."),
        (PackagesState(phase="installing", wanted=("numpy",)), "being installed:</b> numpy. Runs"),
        (
            PackagesState(phase="ready", wanted=("numpy",), packages=(NUMPY,)),
            "Packages that code may import: numpy 2.1.0.",
        ),
        (
            PackagesState(phase="failed", wanted=("numpy",), message=f"pip: {EVIL}"),
            "code runs without them:</b> pip: &lt;script&gt;",
        ),
    ],
)
def test_the_page_says_how_it_stands_with_the_packages(
    site: Web, tmp_path: Path, state: PackagesState, text: str
) -> None:
    packages = Stuck(state.wanted, tmp_path / "packages")
    packages.chosen = state
    app = webui.create_app(replace(site.services, packages=packages), threads=8)
    page = app.test_client().get("/").get_data(as_text=True)
    assert text in page
    assert ("ackages" in page) == bool(text)
    assert EVIL not in page


def test_a_run_says_what_it_may_import(site: Web, browser: FlaskClient) -> None:
    log = site.services.log
    log.create("r1", run_scripts.started())
    log.append("r1", ev.PackagesAwaited(wanted=("numpy",)))
    page = browser.get("/runs/r1").get_data(as_text=True)
    assert "Waiting for packages …" in page
    assert "The run goes on when numpy can be imported." in page
    log.append("r1", ev.PackagesOffered(packages=("numpy 2.1.0",)))
    log.append("r1", ev.StrategyWritten(text="plan", name="f", signature="def f():"))
    page = browser.get("/runs/r1").get_data(as_text=True)
    assert "Packages it may import: numpy 2.1.0." in page
    log.create("r2", run_scripts.started())
    log.append("r2", ev.PackagesOffered(packages=(), problem=EVIL))
    page = browser.get("/runs/r2").get_data(as_text=True)
    assert "the code has the standard library alone: &lt;script&gt;" in page
