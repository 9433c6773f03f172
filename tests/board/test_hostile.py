"""Names and texts are data: a pipeline's name, a message or a rule's description cannot become part
of the page.
"""

from __future__ import annotations

import json
from typing import Any

from playwright.sync_api import expect

from sandbox.clock import utcnow
from tests.board.afternoon import FAULTS
from tests.board.conftest import OpenBoard, Visit
from tests.board.serving import Scripted, served
from tests.support.ask import ask
from tests.support.scene import Scene

ATTACK = (
    '<img src=x onerror="window.hit=1"><script>window.hit=1</script><svg '
    "onload='window.hit=1'>&lt;b&gt;\u202e</p></li>"
)
NAMES = ["constructor.__proto__@-_" + "x" * 76, "__proto__", "a.b@c", "-", "constructor"]
"""As far as AWS's rule for names goes: 100 letters, digits and . @ - _ (model: PipelineName)."""

KEPT = ("state", "since", "next_check", "give_up", "link", "hold", "made")


def attacked(value: Any) -> Any:
    """The same JSON, with every text that is no state, no time and no link made an attack."""
    if isinstance(value, dict):
        return {key: inner if key in KEPT else attacked(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [attacked(one) for one in value]
    return f"{value}{ATTACK}" if isinstance(value, str) else value


def test_no_text_becomes_html(told: Scripted, open_board: OpenBoard) -> None:
    told.seen, told.problem = attacked({**told.seen, **FAULTS}), ATTACK
    page = open_board()
    expect(page.locator(".node")).to_have_count(12)
    expect(page.locator(".card")).to_have_count(4)
    expect(page.locator("#faults li")).to_have_count(4)
    assert page.locator("main img, main script, main b, svg[onload]").count() == 0
    assert page.locator(".node .name").first.inner_text() == f"database{ATTACK} ({ATTACK})"
    told.seen = {**told.seen, "waits": []}
    page.clock.run_for(5_000)
    expect(page.get_by_role("log")).to_contain_text(f"k8s{ATTACK} is no longer waiting.")
    assert page.evaluate("window.hit") is None


def test_a_link_that_is_no_address_of_the_console_is_none(
    told: Scripted, open_board: OpenBoard
) -> None:
    told.seen = json.loads(json.dumps(told.seen))
    for pipeline in told.seen["pipelines"]:
        pipeline["link"] = "javascript:window.hit=1"
    page = open_board()
    expect(page.locator(".node")).to_have_count(12)
    assert page.locator("a[href^=javascript]").count() == 0


def test_any_name_that_aws_allows_is_shown_as_it_is(scene: Scene, visit: Visit) -> None:
    for name in NAMES:
        scene.pipeline(name, seconds=3000)
        scene.start(name)
    scene.gated("k8s", ask(*NAMES))
    scene.start("k8s")
    with served() as url:
        page = visit(url, at=utcnow(), width=360)
        expect(page.locator(".card h3")).to_have_text(
            f"k8s is waiting for {', '.join(NAMES[:-1])} and {NAMES[-1]}"
        )
        assert sorted(page.locator(".node.is-runs .name").all_inner_texts()) == sorted(NAMES)
        assert page.evaluate("document.documentElement.scrollWidth") == 360
        links = [link.get_attribute("href") or "" for link in page.locator(".node.is-runs a").all()]
        for name in NAMES:
            end = f"/pipelines/{name.replace('@', '%40')}/view?region=eu-central-1"
            assert any(link.endswith(end) for link in links), name
