"""The pages: what they show at every moment of a run, and what they refuse."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
import run_scripts
from flask import render_template
from flask.testing import FlaskClient
from markupsafe import escape
from web_services import Web, web

import webui
from core import events as ev
from core.embedded import Progress
from core.endpoints import RoleStatus
from core.errors import StorageError
from core.runs import Runs
from core.state import RunState, apply
from webui import lineage, render
from webui.present import OUTCOME_ICONS

EMPTY: Mapping[str, bytes] = {}
EVIL = "<script>alert(1)</script><hx-partial hx-target='#run'>"


def token(browser: FlaskClient) -> str:
    page = browser.get("/").get_data(as_text=True)
    found = re.search(r'name="csrf" value="([0-9a-f]{64})"', page)
    assert found is not None
    return found[1]


def broken_off(*ends: ev.Payload) -> Iterator[ev.Payload]:
    """A run without an example that ends once its first draft was executed."""
    for payload in run_scripts.drafted():
        is_suite = isinstance(payload, ev.TestsWritten)
        yield ev.TestsWritten(cases=run_scripts.CASES[1:]) if is_suite else payload
    yield from ends


def breaking() -> Iterator[ev.Payload]:
    """One that passes, and breaks off on a call like those of its cases."""
    *before, end = run_scripts.unconfirmed_run()
    yield from before
    yield ev.CandidateBroke(candidate="c1", call="f('<')", error="IndexError: out of range")
    yield end


MOMENTS = run_scripts.RUNS | {
    "breaking": breaking,
    "stopped": lambda: broken_off(
        ev.CancelRequested(), ev.RunFinished(outcome="cancelled", reason="You stopped it.")
    ),
    "broken": lambda: broken_off(ev.RunFinished(outcome="error", reason="The disk is full.")),
}


@pytest.mark.parametrize("name", MOMENTS)
def test_every_moment_of_a_run_renders_and_frames_carry_only_changes(site: Web, name: str) -> None:
    state = RunState(run_id="r")
    with site.app.test_request_context("/"):
        for seq, payload in enumerate(MOMENTS[name]()):
            before = state
            state = apply(state, ev.Event(run_id="r", seq=seq, at=1000.0 + seq, payload=payload))
            frame = render.change_frame(before, state)
            assert 'hx-target="#r-cursor"' in frame
            for region in render.DEPENDS:
                changed = render.region(region, before) != render.region(region, state)
                assert not changed or f'hx-target="#r-{region}"' in frame, (region, payload)
            if isinstance(payload, ev.TokensArrived):
                assert frame.count("<hx-partial") == 2


def test_where_a_version_breaks_off_is_said_beside_it(site: Web, browser: FlaskClient) -> None:
    run_scripts.write(site.services.log, "r1", breaking())
    page = browser.get("/runs/r1").get_data(as_text=True)
    shown = '4/4, <abbr title="On f(&#39;&lt;&#39;): IndexError: out of range">breaks off</abbr>'
    assert shown in page


def test_an_attempt_names_the_model_that_answered(site: Web, browser: FlaskClient) -> None:
    started = (
        replace(payload, model="gone") if isinstance(payload, ev.EscalationStarted) else payload
        for payload in run_scripts.passed_run()
    )
    run_scripts.write(site.services.log, "r1", started)
    page = browser.get("/runs/r1").get_data(as_text=True)
    assert "Attempt <small>qwen2.5-coder:14b · " in page


def test_an_attempt_shows_no_earlier_call_as_its_own(site: Web, browser: FlaskClient) -> None:
    draft = run_scripts.call("code-draft-d1.1.1", "escalation", "code", "text")
    asked = ev.EscalationStarted(attempt=1, of=1, model="large", reason="wrong")
    run_scripts.write(site.services.log, "r1", [*run_scripts.drafted(), *draft, asked])
    page = browser.get("/runs/r1").get_data(as_text=True)
    assert "Attempt <small>large</small>" in page
    assert "What the model was given" not in page


def test_a_passed_run_shows_everything(site: Web, browser: FlaskClient) -> None:
    run_scripts.write(site.services.log, "r1", run_scripts.passed_run())
    page = browser.get("/runs/r1").get_data(as_text=True)
    for wanted in (
        "Passed: 4 of 4 cases, 1 of them yours",
        "1/3",
        "KeyError: &#39;s&#39;",
        "What the model was given",
        "OVERSEER STRATEGY",
        "Connection refused",
        "Passed over for 5 s.",
        "qwen2.5-coder:14b",
        "tokens in",
        "Every unit is read.",
        "Kept as a tool",
        "/runs/r1/code.py",
        "/api/runs/r1/events",
    ):
        assert wanted in page
    assert re.search(r'<tr class="removed">.*?<del>.*?</del>', page)
    assert re.search(r'<tr class="added">.*?<ins>.*?</ins>', page)
    assert "hx-ws:connect" not in page


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("failed", "Failed: 3 of 4 cases pass"),
        ("failed", "Rolled back: It passes less than c0 does."),
        ("failed", "Attempt 2 gave the same code as attempt 0 again."),
        ("unconfirmed", "Unconfirmed: passes 4 of 4 cases, 1 of them yours"),
        ("unconfirmed", "But no second program confirms it."),
        ("cancelled", "Cancelled during code"),
        ("resumed", "Taken up again 1 time"),
        ("error", "Start Ollama or set embedded: auto."),
    ],
)
def test_other_ends_say_what_happened(
    site: Web, browser: FlaskClient, name: str, wanted: str
) -> None:
    run_scripts.write(site.services.log, "r1", run_scripts.RUNS[name]())
    assert wanted in browser.get("/runs/r1").get_data(as_text=True)


@pytest.mark.parametrize("outcome", get_args(ev.Outcome))
def test_every_outcome_has_its_marks(outcome: str) -> None:
    static = Path(webui.__file__).parent.parent / "static"
    assert (static / "icons" / f"{outcome}.svg").is_file()
    assert f'{outcome}: "{OUTCOME_ICONS[outcome]}"' in (static / "run.js").read_text("utf-8")


def test_text_of_users_and_models_is_only_ever_text(site: Web, browser: FlaskClient) -> None:
    log = site.services.log
    run_scripts.write(log, "r1", list(run_scripts.drafted(goal=EVIL)))
    log.append("r1", ev.StrategyWritten(text=EVIL, name=EVIL, signature=EVIL))
    score = ev.Score(name=EVIL, value=1, reason=EVIL)
    result = ev.CaseResult(id="g-1", result="failed", message=EVIL)
    evil: tuple[ev.Payload, ...] = (
        ev.CandidateWritten(candidate="x", attempt=1, code=EVIL, model=EVIL, endpoint=EVIL),
        ev.PromptWritten(call="z", role="generator", purpose=EVIL, text=EVIL),
        ev.TokensArrived(call="z", text=EVIL),
        ev.EscalationStarted(attempt=1, of=3, model=EVIL, reason=EVIL),
        ev.ExecutionFinished(
            candidate="x",
            status="failed",
            message=EVIL,
            cases=(result,),
            stdout=EVIL,
            stderr=EVIL,
            seconds=1,
            peak_bytes=1,
            cpu_s=1,
        ),
        ev.TriageGiven(passed=False, reason=EVIL),
        ev.ScoreGiven(scores=(score,), reason=EVIL),
    )
    for payload in evil:
        log.append("r1", payload)
    for address in ("/runs/r1", "/"):
        page = browser.get(address).get_data(as_text=True)
        assert "&lt;script&gt;" in page
        assert "<script>" not in page
        assert "<hx-partial" not in page
    page = browser.get("/", query_string={"goal": "</textarea>" + EVIL}).get_data(as_text=True)
    assert "<script>" not in page
    assert page.count("</textarea>") == 1


def test_every_answer_has_the_security_headers(site: Web, browser: FlaskClient) -> None:
    for address in ("/", "/settings", "/api/runs", "/nope", "/static/app.css"):
        response = browser.get(address)
        policy = response.headers["Content-Security-Policy"]
        assert "script-src 'self';" in policy
        assert "unsafe" not in policy
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        response.close()
    cookie = browser.get("/").headers.get("Set-Cookie")
    fresh = site.app.test_client().get("/").headers["Set-Cookie"]
    assert cookie is None
    assert "SameSite=Strict" in fresh
    assert "HttpOnly" in fresh


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:5000", "[::1]:80", "LOCALHOST:1"])
def test_own_names_are_answered(browser: FlaskClient, host: str) -> None:
    assert browser.get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "10.0.0.1", "[::2]"])
def test_foreign_host_names_are_refused(browser: FlaskClient, host: str) -> None:
    response = browser.get("/", headers={"Host": host})
    assert response.status_code == 403
    assert "not one that the app answers to" in response.get_data(as_text=True)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://[bad"},
        {"Origin": ""},
        {"Origin": "http://localhost:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_changes_from_other_sites_are_refused(
    site: Web, browser: FlaskClient, headers: dict[str, str]
) -> None:
    form = {"goal": "x", "csrf": token(browser)}
    assert browser.post("/runs", data=form, headers=headers).status_code == 403
    assert browser.post("/api/runs", json={"goal": "x"}, headers=headers).status_code == 403
    assert browser.put("/api/config", json={}, headers=headers).status_code == 403
    assert site.services.log.history() == ()


def test_a_call_in_the_queue_says_that_it_waits(site: Web, browser: FlaskClient) -> None:
    asked = ev.PromptWritten(call="c", role="generator", purpose="code", text="p")
    waits = ev.CallQueued(call="c", role="generator", position=3)
    run_scripts.write(site.services.log, "r1", [*run_scripts.planned(), asked, waits])
    page = browser.get("/runs/r1").get_data(as_text=True)
    assert "waiting for a free endpoint, place 3 in the queue" in page
    assert "Reading the prompt" not in page


def test_forms_need_token_and_cookie(site: Web, browser: FlaskClient) -> None:
    assert browser.post("/runs", data={"goal": "x"}).status_code == 403
    assert browser.post("/runs", data={"goal": "x", "csrf": "0" * 64}).status_code == 403
    stranger = site.app.test_client()
    assert stranger.post("/runs", data={"goal": "x", "csrf": token(browser)}).status_code == 403
    run_scripts.write(site.services.log, "r1", list(run_scripts.drafted()))
    assert browser.post("/runs/r1/cancel").status_code == 403
    assert browser.post("/settings/triage", data={"model": "x"}).status_code == 403


def test_a_goal_becomes_a_run(site: Web, browser: FlaskClient) -> None:
    site.engine.script = run_scripts.passed_run
    form = {"goal": "  add\r\ntwo  ", "csrf": token(browser)}
    response = browser.post("/runs", data=form, headers={"Origin": "http://localhost"})
    assert response.status_code == 303
    site.engine.finish()
    page = browser.get(response.headers["Location"]).get_data(as_text=True)
    assert "add\ntwo" in page
    assert "Passed: 4 of 4" in page


@pytest.mark.parametrize("goal", ["", "  \n ", "x" * 20_001, "ab\x00c", "ab\x1b[0m"])
def test_a_bad_goal_is_shown_again_with_the_reason(browser: FlaskClient, goal: str) -> None:
    response = browser.post("/runs", data={"goal": goal, "csrf": token(browser)})
    page = response.get_data(as_text=True)
    assert response.status_code == 400
    assert 'id="goal-problem" role="alert"' in page
    assert 'aria-invalid="true"' in page
    assert goal.replace("\r\n", "\n") in page


def test_a_full_disk_loses_no_text(site: Web) -> None:
    class FullDisk(Runs):
        def start(self, goal: str, files: Mapping[str, bytes] = EMPTY, **_: bool) -> str:
            raise StorageError("The disk that holds the log is full. Free some space.")

    runs = FullDisk.__new__(FullDisk)
    browser = webui.create_app(replace(site.services, runs=runs)).test_client()
    response = browser.post("/runs", data={"goal": "keep me", "csrf": token(browser)})
    page = response.get_data(as_text=True)
    assert response.status_code == 507
    assert "keep me</textarea>" in page
    assert "Free some space" in page


def test_cancel_asks_the_run_to_stop(site: Web, browser: FlaskClient) -> None:
    run_scripts.write(site.services.log, "r1", list(run_scripts.drafted()))
    response = browser.post("/runs/r1/cancel", data={"csrf": token(browser)})
    assert response.status_code == 303
    assert "Cancelling" in browser.get("/runs/r1").get_data(as_text=True)
    assert browser.post("/runs/zz/cancel", data={"csrf": token(browser)}).status_code == 404


def test_wrong_addresses_and_sizes_get_a_page_that_helps(browser: FlaskClient) -> None:
    missing = browser.get("/runs/nope")
    assert missing.status_code == 404
    assert "There is no run &#39;nope&#39;" in missing.get_data(as_text=True)
    assert browser.get("/runs").status_code == 405
    large = {"goal": "x" * 1_100_000, "csrf": "0"}
    assert browser.post("/runs", data=large).status_code == 413


def test_the_code_downloads(site: Web, browser: FlaskClient) -> None:
    run_scripts.write(site.services.log, "r1", run_scripts.passed_run())
    run_scripts.write(site.services.log, "r2", run_scripts.error_run())
    response = browser.get("/runs/r1/code.py")
    assert response.get_data(as_text=True) == run_scripts.FIXED_CODE
    assert "attachment" in response.headers["Content-Disposition"]
    assert browser.get("/runs/r2/code.py").status_code == 404


def test_the_history_lists_each_outcome(site: Web, browser: FlaskClient) -> None:
    for name, script in run_scripts.RUNS.items():
        run_scripts.write(site.services.log, name, script())
    run_scripts.write(site.services.log, "open", run_scripts.planned())
    for address in ("/", "/history"):
        page = browser.get(address).get_data(as_text=True)
        for name in ("passed", "failed", "cancelled", "error", "running"):
            assert re.search(rf'class="badge {name}"', page), name
        assert "4/4 cases" in page
        assert "1 of 4 cases still fails" in page
        assert 'hx-trigger="every 3s"' in page


def settings(browser: FlaskClient, role: str, **fields: object) -> tuple[int, str]:
    form = {"csrf": token(browser), **fields}
    response = browser.post(f"/settings/{role}", data=form)
    return response.status_code, response.get_data(as_text=True)


def test_settings_save_into_the_file_and_keep_its_comments(site: Web, browser: FlaskClient) -> None:
    urls = ["http://127.0.0.1:7", "http://127.0.0.1:9"]
    status, _ = settings(browser, "generator", model="coder:7b", endpoint=urls)
    assert status == 303
    entry = site.services.config.current.role("generator")
    assert entry.model == "coder:7b"
    assert [endpoint.url for endpoint in entry.endpoints] == urls
    text = site.config_path.read_text()
    assert "# My models." in text
    assert "# plans" in text
    page = browser.get("/settings?saved=generator")
    assert page.headers["HX-Trigger"] == "saved"
    assert "coder:7b" in page.get_data(as_text=True)


def test_a_bad_endpoint_is_refused_next_to_its_field_and_nothing_is_lost(
    site: Web, browser: FlaskClient
) -> None:
    before = site.config_path.read_text()
    typed = ["", "http://good:1", "ftp://bad", "http://user:secret@x"]
    status, page = settings(browser, "generator", model="new-model", endpoint=typed)
    assert status == 400
    assert site.config_path.read_text() == before
    assert 'value="new-model"' in page
    assert 'value="ftp://bad"' in page
    assert 'id="generator-problem-2"' in page
    assert 'id="generator-problem-3"' in page
    assert 'id="generator-problem-1"' not in page
    status, page = settings(browser, "triage", model="", endpoint=["http://good:1"])
    assert status == 400
    assert 'id="triage-model-problem"' in page


@pytest.mark.parametrize(
    ("action", "rows"),
    [
        ("add", ["a", "b", "c", ""]),
        ("remove-1", ["a", "c"]),
        ("up-2", ["a", "c", "b"]),
        ("down-0", ["b", "a", "c"]),
        ("up-0", ["a", "b", "c"]),
        ("remove-9", ["a", "b", "c"]),
        ("remove-x", ["a", "b", "c"]),
    ],
)
def test_rows_move_without_javascript_and_without_saving(
    site: Web, browser: FlaskClient, action: str, rows: list[str]
) -> None:
    before = site.config_path.read_text()
    typed = {"model": "typed", "endpoint": ["a", "b", "c"], "action": action}
    status, page = settings(browser, "generator", **typed)
    assert status == 200
    card = page[page.index('id="role-generator"') : page.index('id="role-evaluator"')]
    assert re.findall(r'name="endpoint" value="([^"]*)"', card) == rows
    assert 'value="typed"' in card
    assert site.config_path.read_text() == before


def test_too_many_endpoints_are_refused_and_all_of_them_kept(
    site: Web, browser: FlaskClient
) -> None:
    before = site.config_path.read_text()
    rows = [f"http://127.0.0.{number}:11434" for number in range(66)]
    status, page = settings(browser, "generator", model="m", endpoint=rows)
    assert status == 400
    assert "at most 64 endpoints. Remove 2 endpoints and save again" in page
    assert all(f'value="{url}"' in page for url in rows)
    assert site.config_path.read_text() == before
    assert settings(browser, "generator", model="m", endpoint=rows[:64])[0] == 303


def test_an_unknown_role_is_refused(browser: FlaskClient) -> None:
    assert settings(browser, "butler", model="x")[0] == 400


def test_the_settings_page_asks_nobody_and_its_fragment_does(browser: FlaskClient) -> None:
    assert "not asked yet" in browser.get("/settings").get_data(as_text=True)
    fragment = browser.get("/settings/status", headers={"HX-Request": "true"})
    text = fragment.get_data(as_text=True)
    assert text.count("<hx-partial") == 5
    assert "does not answer" in text
    whole = browser.get("/settings/status", follow_redirects=True)
    assert "<html" in whole.get_data(as_text=True)


def test_the_built_in_models_progress_is_told(site: Web) -> None:
    fetching = Progress(
        phase="fetching",
        model="qwen-0.5b",
        bytes_done=123_000_000,
        bytes_total=491_400_064,
        bytes_per_s=4_500_000,
        seconds_left=82,
        source="huggingface.co",
    )
    failed = Progress(phase="failed", model="qwen-1.5b", message="The disk is full.")
    stood_in = RoleStatus(
        role="triage", model="m", endpoints=(), served_by_builtin=True, why="Nobody answers."
    )
    stuck = replace(stood_in, role="overseer", served_by_builtin=False, why="Refused.")
    with site.app.test_request_context("/"):
        busy, in_run, over = (
            render_template(
                "_status.html", builtin=(fetching, failed), roles=(stood_in, stuck), place=place
            )
            for place in ("index", "r1", "")
        )
        idle = render_template("_status.html", builtin=(), roles=(), place="index")
    assert "123 MB of 491 MB, 4 MB/s, 82 s left, from huggingface.co" in busy
    assert '<progress value="123000000" max="491400064"' in busy
    assert "The disk is full." in busy
    assert "The built-in model serves triage." in busy
    assert "No model can serve the overseer now." in busy
    assert 'hx-trigger="every 1s"' in busy
    assert 'hx-trigger="every 5s"' in idle
    assert "You can start a goal now" in busy
    assert "This run goes on as soon as it is here." in in_run
    assert "place=r1" in in_run
    assert over.split() == ["<div", 'class="status"', 'id="status">', "</div>"]


def test_each_reason_for_a_stand_in_is_told_once_with_its_roles(site: Web) -> None:
    whys = {"overseer": "A is down.", "triage": "B lacks m", "evaluator": "A is down."}
    roles = [
        RoleStatus(role=role, model="m", endpoints=(), served_by_builtin=True, why=why)  # type: ignore[arg-type]
        for role, why in whys.items()
    ]
    with site.app.test_request_context("/"):
        line = render_template("_status.html", builtin=(), roles=roles, place="index")
        page = render_template("_status.html", builtin=(), roles=roles, place="settings")
    assert "The built-in model serves all roles." in line
    assert "the settings say why" in line
    assert "A is down" not in line
    assert "<li>Overseer and evaluator: A is down.</li><li>Triage: B lacks m.</li>" in page


def test_the_status_is_on_the_page_of_a_run_until_it_ends(site: Web, browser: FlaskClient) -> None:
    site.services.client.probe()
    run_scripts.write(site.services.log, "open", run_scripts.planned())
    run_scripts.write(site.services.log, "over", run_scripts.passed_run())
    page = browser.get("/runs/open").get_data(as_text=True)
    assert "No model can serve" in page
    assert 'href="/settings#role-overseer"' in page
    fragment = browser.get("/status?place=open").get_data(as_text=True)
    assert "No model can serve" in fragment
    assert 'hx-get="/status?place=open"' in fragment
    for address in ("/runs/over", "/status?place=over", "/status?place=nope"):
        page = browser.get(address).get_data(as_text=True)
        assert 'id="status"' in page
        assert 'hx-get="/status' not in page
        assert "No model can serve" not in page
    settings_page = browser.get("/settings").get_data(as_text=True)
    assert 'hx-get="/status?place=settings"' in settings_page
    assert "No model can serve" in settings_page


def test_a_run_waits_for_its_turn_until_its_first_stage(site: Web, browser: FlaskClient) -> None:
    run_scripts.write(site.services.log, "r1", [run_scripts.started()])
    assert "Waiting for its turn" in browser.get("/runs/r1").get_data(as_text=True)
    site.services.log.append("r1", ev.StageStarted(stage="tools"))
    page = browser.get("/runs/r1").get_data(as_text=True)
    assert "Looking for tools" in page
    assert "Waiting for its turn" not in page


@pytest.mark.parametrize("name", ["cancelled", "error"])
def test_a_call_without_a_reply_shows_no_invented_seconds(
    site: Web, browser: FlaskClient, name: str
) -> None:
    run_scripts.write(site.services.log, "r1", run_scripts.RUNS[name]())
    page = browser.get("/runs/r1").get_data(as_text=True)
    assert re.findall(r'data-label="took">([^<]*)</td>', page)[-1] == "–"
    assert ("<td>cancelled</td>" in page) == (name == "cancelled")


def test_a_goal_without_an_example_is_told_how_to_add_one(site: Web, browser: FlaskClient) -> None:
    hint = "No example in your goal: all cases are generated."
    run_scripts.write(site.services.log, "with", run_scripts.passed_run())
    assert hint not in browser.get("/runs/with").get_data(as_text=True)
    run_scripts.write(site.services.log, "without", run_scripts.planned("Parse a duration"))
    assert hint not in browser.get("/runs/without").get_data(as_text=True)
    site.services.log.append("without", ev.TestsWritten(cases=run_scripts.CASES[1:]))
    assert hint in browser.get("/runs/without").get_data(as_text=True)


def test_a_case_that_programs_agree_on_says_so(site: Web, browser: FlaskClient) -> None:
    run_scripts.write(site.services.log, "r1", run_scripts.drafted())
    assert "from programs" not in browser.get("/runs/r1").get_data(as_text=True)
    voted = replace(run_scripts.CASES[-1], voted=True, disputed=False)
    site.services.log.append("r1", ev.TestsWritten(cases=(*run_scripts.CASES[:-1], voted)))
    assert browser.get("/runs/r1").get_data(as_text=True).count("from programs") == 1


def test_the_last_page_of_the_history_is_not_taken_for_the_first(
    site: Web, browser: FlaskClient
) -> None:
    run_scripts.write(site.services.log, "r1", run_scripts.error_run())
    page = browser.get("/?before=r1").get_data(as_text=True)
    assert "No older ones." in page
    assert "None yet" not in page
    assert browser.get("/?before=nope").status_code == 404


def test_a_goal_can_be_asked_again_however_long_it_is(site: Web, browser: FlaskClient) -> None:
    goal = "Parse <this>.\n" + "x" * 19_000
    run_scripts.write(site.services.log, "r1", run_scripts.passed_run(goal))
    link = re.search(r'href="([^"]*)">Ask again', browser.get("/runs/r1").get_data(as_text=True))
    assert link is not None
    page = browser.get(link[1]).get_data(as_text=True)
    assert f"{escape(goal)}</textarea>" in page
    assert browser.get("/?again=nope").status_code == 404


def test_the_goal_field_cuts_nothing_off(browser: FlaskClient) -> None:
    assert "maxlength" not in browser.get("/").get_data(as_text=True)


def test_open_pages_survive_a_restart(tmp_path: Path) -> None:
    with web(tmp_path) as first:
        before = first.app.test_client()
        old = token(before)
        cookie = first.app.test_client().get("/").headers["Set-Cookie"]
    with web(tmp_path) as second:
        again = second.app.test_client()
        assert token(again) == old
        fresh = second.app.test_client().get("/").headers["Set-Cookie"]
        assert fresh.split(";")[0] == cookie.split(";")[0]


def test_an_attempt_is_compared_with_the_best_before_it() -> None:
    state = RunState(run_id="r")
    for seq, payload in enumerate(run_scripts.failed_run()):
        state = apply(state, ev.Event(run_id="r", seq=seq, at=0.0, payload=payload))
    second = lineage.attempts(state)[1]
    assert second.before is not None
    assert second.before.candidate == "c0"
    assert second.call is not None
    assert second.call.call == "escalate-2.1.1"
