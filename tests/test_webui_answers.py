"""Questions and answers over HTTP: the forms, the API, and what refuses an answer."""

from __future__ import annotations

import re
from typing import Any

import asked_runs
import pytest
from flask.testing import FlaskClient
from web_services import Web

from core import events as ev


def token(browser: FlaskClient) -> str:
    found = re.search(r'name="csrf" value="(\w+)"', browser.get("/").get_data(as_text=True))
    assert found
    return found[1]


def give(browser: FlaskClient, run_id: str, **form: str) -> Any:
    return browser.post(f"/runs/{run_id}/answers", data={"csrf": token(browser), **form})


def test_a_form_answers_and_leads_back_to_the_run(browser: FlaskClient, run_id: str) -> None:
    page = browser.get(f"/runs/{run_id}").get_data(as_text=True)
    assert "Is this right?" in page
    assert "2 candidates say" in page
    response = give(browser, run_id, case="g2", answer="no")
    assert response.status_code == 303
    assert response.headers["Location"] == f"/runs/{run_id}#questions"
    page = browser.get(f"/runs/{run_id}").get_data(as_text=True)
    assert "Passed: 2 of 2 cases" in page
    assert "rejected by you" in page
    assert "by your word" in page


def test_a_bad_edit_comes_back_with_a_word_at_its_field(browser: FlaskClient, run_id: str) -> None:
    response = give(browser, run_id, case="g2", answer="edit", source="assert <True>")
    page = response.get_data(as_text=True)
    assert response.status_code == 400
    assert 'id="problem-g2"' in page
    assert "assert &lt;True&gt;</textarea>" in page


def test_a_test_of_your_own_is_added_and_taken_back(browser: FlaskClient, run_id: str) -> None:
    response = give(browser, run_id, answer="add", source="total([5]) ==")
    page = response.get_data(as_text=True)
    assert response.status_code == 400
    assert 'id="problem-new-test"' in page
    assert "total([5]) ==</textarea>" in page
    assert give(browser, run_id, answer="add", source="total([5]) == 5").status_code == 303
    page = browser.get(f"/runs/{run_id}").get_data(as_text=True)
    assert "Passed: 4 of 4 cases" in page
    assert "yours</span>" in page
    assert "By your answers 1 case is added." in page
    assert "total([5]) == 5</textarea>" not in page
    assert give(browser, run_id, case="u1", answer="no", was="add").status_code == 303
    page = browser.get(f"/runs/{run_id}").get_data(as_text=True)
    assert "Passed: 3 of 3 cases" in page
    assert "taken back by you" in page
    assert "Count it again" in page


@pytest.mark.parametrize(
    ("form", "status", "text"),
    [
        ({"case": "g9", "answer": "yes"}, 400, "no test case &#39;g9&#39;"),
        ({"case": "g2", "answer": ""}, 400, "yes, no, edit or add"),
        ({}, 400, "yes, no, edit or add"),
        ({"case": "g2", "answer": "add", "source": "0"}, 400, "takes no other&#39;s place"),
    ],
)
def test_what_is_no_answer_is_said_on_the_page(
    browser: FlaskClient, run_id: str, form: dict[str, str], status: int, text: str
) -> None:
    response = give(browser, run_id, **form)
    assert response.status_code == status
    assert text in response.get_data(as_text=True)


def test_who_comes_second_sees_it(browser: FlaskClient, run_id: str) -> None:
    give(browser, run_id, case="g2", answer="no")
    response = give(browser, run_id, case="g2", answer="yes")
    assert response.status_code == 409
    assert "answered meanwhile: it is wrong" in response.get_data(as_text=True)
    assert give(browser, run_id, case="g2", answer="yes", was="no").status_code == 303


@pytest.mark.parametrize("path", ["answers", "go-on"])
def test_forms_need_their_token_and_our_own_origin(
    browser: FlaskClient, run_id: str, path: str
) -> None:
    form = {"case": "g2", "answer": "no"}
    assert browser.post(f"/runs/{run_id}/{path}", data=form).status_code == 403
    foreign = {"Origin": "http://evil.example"}
    for address in (f"/runs/{run_id}/{path}", f"/api/runs/{run_id}/{path}"):
        response = browser.post(address, json=form, headers=foreign)
        assert response.status_code == 403
    assert browser.post("/runs/nobody/go-on", data={"csrf": token(browser)}).status_code == 404
    assert give(browser, "nobody", case="g2", answer="no").status_code == 404


def test_the_api_asks_and_takes_answers(browser: FlaskClient, run_id: str) -> None:
    asked = browser.get(f"/api/runs/{run_id}").get_json()["questions"]
    (question,) = asked
    assert (question["case"], question["call"], question["expected"]) == (
        "g2",
        "total([])",
        "None",
    )
    assert [(g["says"], g["candidates"], g["passes"]) for g in question["groups"]] == [
        ("0", ["c0", "d1"], False),
        ("None", ["d2"], True),
    ]
    answer = {"case": "g2", "answer": "edit", "source": "0"}
    response = browser.post(f"/api/runs/{run_id}/answers", json=answer)
    assert response.status_code == 200
    state = response.get_json()
    assert (state["outcome"], state["total"], state["questions"]) == ("passed", 3, [])
    assert state["tests"][-1]["instead_of"] == "g2"
    assert browser.get(f"/api/runs/{run_id}").get_json()["code"] == state["code"]
    assert browser.get("/api/runs").get_json()["runs"][0]["reason"] == state["reason"]


def test_the_api_takes_a_test(browser: FlaskClient, run_id: str) -> None:
    body = {"answer": "add", "source": "total([]) == 0"}
    response = browser.post(f"/api/runs/{run_id}/answers", json=body)
    assert response.status_code == 200
    state = response.get_json()
    assert (state["tests"][-1]["id"], state["tests"][-1]["instead_of"]) == ("g2.1", "g2")
    body = {"answer": "add", "source": "total([5]) == 5"}
    state = browser.post(f"/api/runs/{run_id}/answers", json=body).get_json()
    assert (state["tests"][-1]["id"], state["tests"][-1]["added"]) == ("u1", True)


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"answer": "add", "source": "total([])"}, 400, "source"),
        ({"case": "g9", "answer": "yes"}, 400, "case"),
        ({"case": 3, "answer": "yes"}, 400, "case"),
        ({"case": "g2", "answer": "perhaps"}, 400, "answer"),
        ({"case": "g2", "answer": "edit", "source": "assert True"}, 400, "source"),
        ({"case": "g2", "answer": "edit", "source": ["0"]}, 400, "source"),
        ([], 400, ""),
    ],
)
def test_the_api_says_what_is_wrong(
    browser: FlaskClient, run_id: str, body: Any, status: int, field: str
) -> None:
    response = browser.post(f"/api/runs/{run_id}/answers", json=body)
    assert response.status_code == status
    assert response.get_json()["error"]["field"] == field


def test_the_api_refuses_what_comes_too_late(site: Web, browser: FlaskClient, run_id: str) -> None:
    yes = {"case": "g2", "answer": "yes"}
    assert browser.post(f"/api/runs/{run_id}/answers", json=yes).status_code == 200
    late = browser.post(f"/api/runs/{run_id}/answers", json={"case": "g2", "answer": "no"})
    assert (late.status_code, late.get_json()["error"]["code"]) == (409, "conflict")
    log = site.services.log
    gone = asked_runs.write(log, asked_runs.under_way(), "r2")
    log.append(gone, ev.RunFinished(outcome="cancelled", reason=""))
    assert browser.post(f"/api/runs/{gone}/answers", json=yes).status_code == 409
    assert browser.get(f"/api/runs/{gone}").get_json()["questions"] == []


def test_the_events_of_a_revised_run_come_to_an_end(browser: FlaskClient, run_id: str) -> None:
    browser.post(f"/api/runs/{run_id}/answers", json={"case": "g2", "answer": "no"})
    response = browser.get(f"/api/runs/{run_id}/events?follow=1")
    kinds = re.findall(r'"kind": "(\w+)"', response.get_data(as_text=True))
    assert kinds[-2:] == ["SkillSaved", "VerdictRevised"]
    assert "AnswersWeighed" in kinds


def test_a_page_learns_of_answers_that_others_gave(browser: FlaskClient, run_id: str) -> None:
    page = browser.get(f"/runs/{run_id}").get_data(as_text=True)
    address = re.search(r'hx-get="(/runs/\w+/news\?after=\d+)"', page)
    assert address
    assert browser.get(address[1]).status_code == 204
    browser.post(f"/api/runs/{run_id}/answers", json={"case": "g2", "answer": "no"})
    news = browser.get(address[1])
    assert news.status_code == 200
    assert "Passed: 2 of 2 cases" in news.get_data(as_text=True)
    assert browser.get("/runs/nobody/news?after=1").status_code == 404
    assert browser.get(f"/runs/{run_id}/news?after=x").status_code == 400


def test_asking_again_takes_the_answers_along(browser: FlaskClient, run_id: str) -> None:
    edit = {"case": "g2", "answer": "edit", "source": "0"}
    browser.post(f"/api/runs/{run_id}/answers", json=edit)
    page = browser.get(f"/?again={run_id}").get_data(as_text=True)
    assert f"{asked_runs.GOAL}\ntotal([]) == 0</textarea>" in page


def test_a_waiting_run_can_be_sent_on(site: Web, browser: FlaskClient) -> None:
    log = site.services.log
    run_id = asked_runs.write(log, asked_runs.under_way(wait=True))
    assert browser.post(f"/api/runs/{run_id}/go-on").get_json() == {"id": run_id, "waited": False}
    log.append(run_id, ev.AnswersAwaited(limit_s=600))
    page = browser.get(f"/runs/{run_id}").get_data(as_text=True)
    assert "Waiting for your answers" in page
    response = browser.post(f"/api/runs/{run_id}/go-on")
    assert (response.status_code, response.get_json()["waited"]) == (202, True)


def test_a_goal_can_be_told_to_wait(site: Web, browser: FlaskClient) -> None:
    form = {"goal": "g", "csrf": token(browser), "wait_for_answers": "1"}
    assert browser.post("/runs", data=form).status_code == 303
    (made,) = site.services.log.history()
    first = site.services.log.since(made.run_id)[0].payload
    assert isinstance(first, ev.RunStarted)
    assert first.wait_for_answers
    body = {"goal": "g", "wait_for_answers": True}
    made_id = browser.post("/api/runs", json=body).get_json()["id"]
    assert browser.get(f"/api/runs/{made_id}").get_json()["wait_for_answers"]
    bad = browser.post("/api/runs", json={"goal": "g", "wait_for_answers": "yes"})
    assert (bad.status_code, bad.get_json()["error"]["field"]) == (400, "wait_for_answers")
