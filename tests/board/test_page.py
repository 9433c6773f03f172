"""What a person who leaves the Board open sees."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import timedelta

import pytest
from playwright.sync_api import Page, Route, expect

from sandbox.clock import utcnow
from tests.board.afternoon import PARKED
from tests.board.conftest import OpenBoard, Visit
from tests.board.serving import Scripted, served
from tests.support.scene import Scene

COUNT_CHANGES = """
window.drawn = 0;
const isDrawn = (change) => change.target.tagName !== "TIME";
new MutationObserver((changes) => (window.drawn += changes.filter(isDrawn).length))
  .observe(document.querySelector("main"), {childList: true, subtree: true});
"""


def card(page: Page, pipeline: str) -> str:
    """The text of a waiting pipeline's card."""
    return page.locator(
        ".card", has=page.get_by_role("link", name=pipeline, exact=True)
    ).inner_text()


def state(page: Page, pipeline: str) -> str:
    """The text of a pipeline's state in the graph."""
    return (
        page.locator(".node", has=page.get_by_role("link", name=pipeline, exact=True))
        .locator(".state")
        .inner_text()
    )


def changes(page: Page) -> list[str]:
    """The changes that the page lists, without their times, newest first."""
    return [
        text.split(" UTC ")[-1] for text in page.get_by_role("log").locator("p").all_inner_texts()
    ]


def test_each_hold_has_its_reason_and_its_clock(page: Page) -> None:
    expect(page.locator(".card h3")).to_have_text(
        [
            "k8s is waiting for infra and network",
            "apps is waiting for k8s",
            "reports is waiting for infra",
            "api is waiting for database and network",
        ]
    )
    k8s = card(page, "k8s")
    assert "for 14 min since 12:31 UTC" in k8s
    assert "infra\nRunning for 18 min" in k8s
    assert "Next check\nin 45 s" in k8s
    assert "Gives up\nin 1 h 20 min" in k8s, "a rule notices a deadline at its next check"
    assert "starts again automatically when infra and network have finished" in k8s
    assert "k8s\nWaiting for 14 min" in card(page, "apps")
    assert "when CodePipeline invokes the gate" in card(page, "reports")
    api = card(page, "api")
    assert "when network has finished (successfully or not) and database has succeeded." in api
    assert "First, database has to succeed, so someone has to fix and start it." in api
    page.locator(".card", has_text="api is waiting").get_by_text("The gate's message").click()
    assert "database has not succeeded: its last execution" in card(page, "api")
    assert page.title() == "4 waiting · Pipeline Gate"


def test_every_pipeline_says_its_state_in_words(page: Page) -> None:
    assert [state(page, name) for name in ("infra", "database", "release", "network", "apps")] == [
        "Running for 18 min",
        "Failed 10 min ago",
        "Needs a person for 18 min",
        "Succeeded 17 min ago",
        "Waiting for 10 min",
    ]
    assert (
        page.locator(".node.is-elsewhere").inner_text()
        == "dns (us-east-1)\n\nNot visible from here"
    )
    assert (
        " ".join(page.locator("#counts").inner_text().split())
        == "4 waiting 1 needs a person 1 running 1 failed 4 succeeded"
    )


def test_links_lead_to_the_console(told: Scripted, page: Page) -> None:
    console = "https://eu-central-1.console.aws.amazon.com"
    link = page.locator(".card").first.get_by_role("link")
    execution = told.seen["waits"][0]["execution"]["id"]
    assert [one.get_attribute("href") for one in link.all()] == [
        f"{console}/codesuite/codepipeline/pipelines/k8s/view?region=eu-central-1",
        f"{console}/codesuite/codepipeline/pipelines/k8s/executions/{execution}/timeline"
        "?region=eu-central-1",
        f"{console}/events/home?region=eu-central-1"
        f"#/eventbus/default/rules/pipeline-gate-dev-{execution}",
    ]


def test_clocks_tick_and_follow_the_servers_clock(told: Scripted, open_board: OpenBoard) -> None:
    page = open_board(at=told.at - timedelta(hours=3))  # a browser whose clock is wrong
    expect(page.locator(".big").first).to_have_text("for 14 min")
    told.at += timedelta(seconds=40)
    page.clock.run_for(40_000)
    assert "Next check\nin 5 s" in card(page, "k8s")
    page.clock.run_for(6_000)
    assert "Next check\nany moment now" in card(page, "k8s")
    page.clock.run_for(60_000)
    expect(page.locator(".big").first).to_have_text("for 15 min")


def test_it_follows_what_happens_in_the_account(scene: Scene, visit: Visit) -> None:
    scene.pipeline("infra")
    scene.k8s()
    with served() as url:
        page = visit(url, at=utcnow())
        expect(page.get_by_text("No pipeline is waiting.")).to_be_visible()
        scene.start("infra")
        scene.start("k8s")
        page.clock.run_for(5_000)
        expect(page.locator(".card h3")).to_have_text("k8s is waiting for infra")
        assert page.title() == "1 waiting · Pipeline Gate"
        expect(page.get_by_role("log")).to_contain_text("infra is running.")
        assert changes(page) == ["infra is running.", "k8s is waiting for infra."]
        scene.wait(minutes=10, seconds=20)
        page.clock.run_for(5_000)
        expect(page.get_by_text("No pipeline is waiting.")).to_be_visible()
        expect(page.get_by_role("log")).to_contain_text("k8s is running.")
        assert changes(page)[:3] == [
            "k8s is running.",
            "infra succeeded.",
            "k8s is no longer waiting.",
        ]
        assert page.title() == "None waiting · Pipeline Gate"


def test_nothing_is_drawn_again_while_nothing_changes(told: Scripted, page: Page) -> None:
    expect(page.locator(".node")).to_have_count(12)
    page.evaluate(COUNT_CHANGES)
    for _ in range(3):
        with page.expect_response("**/state") as response:
            page.clock.run_for(5_000)
        assert response.value.status == 304
    told.at += timedelta(seconds=15)
    with page.expect_response("**/state"):
        page.clock.run_for(5_000)
    expect(page.locator("#seen")).to_have_text("Read at 12:45:30 UTC")
    assert page.evaluate("window.drawn") == 0


def test_it_requests_as_often_as_the_server_says_and_less_often_while_hidden(
    told: Scripted, open_board: OpenBoard
) -> None:
    told.ask_again = timedelta(seconds=20)
    page = open_board()
    expect(page.locator("#seen")).to_have_attribute("data-live", "live")

    def asks(when: Callable[[], object]) -> bool:
        before = told.asked
        when()
        page.wait_for_function("() => !asking")
        return told.asked > before

    assert not asks(lambda: page.clock.run_for(19_900))
    assert asks(lambda: page.clock.run_for(100))
    page.evaluate("Object.defineProperty(document, 'hidden', {value: true, configurable: true})")
    assert asks(lambda: page.clock.run_for(20_000))
    assert not asks(lambda: page.clock.run_for(59_900))
    assert asks(
        lambda: page.evaluate(
            "delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))"
        )
    )


def test_if_aws_does_not_answer_the_page_says_that_it_is_out_of_date(
    told: Scripted, page: Page
) -> None:
    expect(page.locator("#seen")).to_have_text("Read at 12:45:15 UTC")
    told.problem = "codepipeline:ListPipelines was not answered (ThrottlingException)."
    page.clock.run_for(5_000)
    expect(page.locator("#problem")).to_have_text(
        f"This page is out of date: last read at 12:45:15 UTC. {told.problem}"
    )
    expect(page.locator("#seen")).to_have_text("Out of date: read at 12:45:15 UTC")
    expect(page.locator(".card")).to_have_count(4)
    told.problem, told.at = None, told.at + timedelta(seconds=10)
    page.clock.run_for(5_000)
    expect(page.locator("#seen")).to_have_text("Read at 12:45:25 UTC")
    expect(page.locator("#problem")).to_be_empty()


def test_if_its_server_is_gone_it_says_so_and_reconnects(told: Scripted, visit: Visit) -> None:
    with served(told) as url:
        page = visit(url, at=told.at)
        expect(page.locator("#seen")).to_have_attribute("data-live", "live")
        tries: list[str] = []

        def abort(route: Route) -> None:
            tries.append(route.request.url)
            route.abort()

        page.route("**/state", abort)
        page.clock.run_for(5_000)
        expect(page.locator("#problem")).to_contain_text(
            "last read at 12:45:15 UTC. The Board's server does not answer."
        )
        for pause in (10, 20, 40, 60, 60):
            before = len(tries)
            page.clock.run_for(pause * 1000 - 100)
            assert len(tries) == before
            with page.expect_event("requestfailed"):
                page.clock.run_for(100)
            page.wait_for_function("() => !asking")
        page.route("**/state", lambda route: route.fulfill(status=403))
        page.clock.run_for(60_000)
        expect(page.locator("#problem")).to_contain_text("The server refused the request (403)")
        page.unroute_all()
        page.clock.run_for(60_000)
        expect(page.locator("#seen")).to_have_attribute("data-live", "live")


def test_a_restarted_server_that_reads_nothing_leaves_what_the_page_shows(
    told: Scripted, page: Page
) -> None:
    expect(page.locator(".card")).to_have_count(4)
    told.seen, told.problem = None, "Unable to locate credentials."
    page.clock.run_for(5_000)
    expect(page.locator("#problem")).to_have_text(
        "This page is out of date: last read at 12:45:15 UTC. Unable to locate credentials."
    )
    page.get_by_label("Find a pipeline").fill("apps")
    expect(page.locator(".card")).to_have_count(2)


@pytest.mark.parametrize("address", ["api/", "api"])
def test_a_deployed_page_finds_its_state_next_to_it(
    told: Scripted, visit: Visit, address: str
) -> None:
    """API Gateway serves it below its stage's name."""
    with served(told) as url:
        page = visit(url, at=told.at)
        page.route(f"{url}{address}", lambda route: route.fulfill(response=route.fetch(url=url)))
        page.route(
            f"{url}api/state", lambda route: route.fulfill(response=route.fetch(url=f"{url}state"))
        )
        page.goto(f"{url}{address}")
        expect(page.locator(".card")).to_have_count(4)


def test_what_needs_attention_is_listed_with_what_to_do(scene: Scene, visit: Visit) -> None:
    a, b = ({"pipeline": name, "require": "succeeded"} for name in "ab")
    scene.gated("a", {"depends_on": [b]})
    scene.gated("b", {"depends_on": [a, "infa"]})
    scene.gated("c", {"depend_on": ["b"]})
    scene.events.put_rule(Name="pipeline-gate-dev-left-over", ScheduleExpression="rate(5 minutes)")
    with served() as url:
        page = visit(url, at=utcnow())
        faults = page.locator("#faults li")
        expect(faults).to_have_count(4)
        refuses, missing, cycle, rule = faults.all_inner_texts()
        assert 'unknown key "depend_on" (did you mean depends_on?)' in refuses
        assert "There is no pipeline infa here" in missing
        assert "These pipelines depend on it and fail at their gates: b." in missing
        assert "a waits for b, which waits for a." in cycle
        assert "The rule pipeline-gate-dev-left-over does not hold any execution" in rule
        assert page.locator(".node.is-missing .state").inner_text() == "Not found"


def test_what_upstreams_do_while_a_person_keeps_an_execution_behind_its_gate(
    told: Scripted, open_board: OpenBoard
) -> None:
    told.seen = {**told.seen, "parked": [PARKED]}
    item = open_board().locator("#faults li")
    expect(item).to_contain_text("web needs a person, and has passed its gate")
    expect(item).to_contain_text(
        "It continues without another check of api and infra. Now: api: waiting, infra: running."
    )


def test_pipelines_that_may_not_be_read_are_named(told: Scripted, open_board: OpenBoard) -> None:
    denial = "codepipeline:GetPipeline was denied"
    closed = [{"name": f"team-{number}", "why": denial} for number in range(1, 8)]
    told.seen = {**told.seen, "not_looked_at": closed}
    line = open_board().locator("#faults li").last
    expect(line).to_contain_text("team-1, team-2, team-3, team-4, team-5 and 2 more")
    expect(line).to_contain_text(denial)


@pytest.mark.usefixtures("scene")
def test_without_a_gated_pipeline_it_says_how_to_add_one(visit: Visit) -> None:
    with served() as url:
        page = visit(url, at=utcnow())
        expect(page.locator("#none")).to_contain_text("gatectl attach k8s --depends-on infra")
        expect(page.locator("#filter, #legend")).to_have_count(2)
        assert not page.locator("#filter").is_visible()


def test_a_problem_before_the_first_reading_is_all_that_is_shown(
    told: Scripted, open_board: OpenBoard
) -> None:
    told.seen, told.problem = None, "Unable to locate credentials. Set it as for the AWS CLI."
    page = open_board()
    expect(page.locator("#problem")).to_have_text(f"Nothing can be shown yet. {told.problem}")
    assert page.get_by_role("heading", level=2).count() == 0


def test_the_filter_keeps_the_chain_of_a_pipeline(page: Page) -> None:
    find, names = page.get_by_label("Find a pipeline"), page.locator(".node .name")
    find.fill("APPS")
    assert sorted(names.all_inner_texts()) == ["apps", "infra", "k8s", "network", "smoke-tests"]
    expect(page.locator("#found")).to_have_text("5 of 12 pipelines")
    assert page.locator(".card h3").all_inner_texts() == [
        "k8s is waiting for infra and network",
        "apps is waiting for k8s",
    ]
    find.fill("")
    page.get_by_label("only waiting pipelines and their upstreams").check()
    assert " ".join(sorted(names.all_inner_texts())) == (
        "api apps database infra k8s network reports"
    )
    find.fill("no such name")
    expect(page.locator("#found")).to_have_text("0 of 12 pipelines")


def test_the_focus_stays_on_a_card_that_changes(told: Scripted, page: Page) -> None:
    page.get_by_text("The gate's message").first.click()
    page.locator(".card").first.get_by_role("link", name="Execution").focus()
    told.seen = copy.deepcopy(told.seen)
    told.seen["waits"][0]["next_check"] = (told.at + timedelta(minutes=5)).isoformat()
    page.clock.run_for(5_000)
    expect(page.locator(".card").first).to_contain_text("in 5 min")
    assert page.evaluate("document.activeElement.ariaLabel").startswith("Execution")
    expect(page.locator(".reason").first).to_be_visible()
    told.seen = {**told.seen, "waits": told.seen["waits"][1:]}
    page.clock.run_for(5_000)
    expect(page.locator(".card")).to_have_count(3)
    assert page.evaluate("document.activeElement.id") == "waiting"


ADA = "arn:aws:iam::123456789012:user/ada"


def test_a_card_names_the_person_who_released_the_pipeline(
    told: Scripted, open_board: OpenBoard
) -> None:
    told.seen = copy.deepcopy(told.seen)
    told.seen["waits"][0] |= {"let_go_by": ADA, "comment": "<b>hotfix</b>"}
    page = open_board()
    assert f'Released by {ADA} ("<b>hotfix</b>"): it continues within' in card(page, "k8s")


def test_a_card_names_the_person_who_canceled_the_wait(
    told: Scripted, open_board: OpenBoard
) -> None:
    told.seen = copy.deepcopy(told.seen)
    told.seen["waits"][0] |= {"canceled_by": ADA, "comment": "wrong commit"}
    page = open_board()
    expected = f'Canceled by {ADA} ("wrong commit"): the wait ends at the next check, and nothing'
    assert expected in card(page, "k8s")
