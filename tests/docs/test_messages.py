"""docs/messages.md: every sentence that the gate can leave in the console is among them."""

from __future__ import annotations

import inspect
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from chalicelib import errors
from chalicelib.pipelines.state import PipelineState, StageState
from chalicelib.pipelines.upstream import Upstream
from chalicelib.pipelines.wait_cycles import Cycle
from chalicelib.wording import held_pipeline, open_gate, reasons, refusals
from tests.unit.test_sentences import DEADLINE, HOLD, INFRA, NOW

PAGE = (Path(__file__).parents[2] / "docs/messages.md").read_text()
EARLIER = NOW - timedelta(hours=1)
ANN = "arn:aws:iam::123456789012:user/ann"
SAID = {
    "passed": open_gate.passed([Upstream(INFRA.wanted)], NOW),
    "bypassed": open_gate.bypassed([INFRA.wanted]),
    "held": held_pipeline.held([INFRA], HOLD, 5, NOW, NOW),
    "held to be retried": held_pipeline.held([INFRA], replace(HOLD, mode="retry"), 5, NOW, NOW),
    "waits_in_place": held_pipeline.waits_in_place([INFRA], "k8s", EARLIER, DEADLINE, "stop", NOW),
    "goes_on_all_the_same": open_gate.goes_on_all_the_same([INFRA], EARLIER, NOW),
    "let_go": open_gate.let_go([INFRA], ANN, EARLIER, NOW),
    "gave_up": held_pipeline.gave_up([INFRA], EARLIER, NOW),
    "observed": open_gate.observed([INFRA], NOW),
    "observed_refusal": open_gate.observed_refusal("There is no pipeline x."),
    "deadlock": held_pipeline.deadlock(Cycle(("a", "b", "a"), deadlock=True)),
    "no_room": held_pipeline.no_room([INFRA], NOW),
    "no_such_upstream": refusals.no_such_upstream("infra", "123456789012", "eu-central-1"),
    "no_such_stage": refusals.no_such_stage("infra", "Deploi", ["Deploy"]),
    "not_this_pipelines": refusals.not_this_pipelines(HOLD.execution, "k8s"),
    "who_am_i": refusals.who_am_i("pipeline"),
    "defect": refusals.defect(errors.UnexpectedAnswer("events:PutRule answered X"), "r"),
}
ELSEWHERE = {"rule_description", "deadline"}
"""What is no message of its own at the action."""


def rows(title: str) -> list[list[str]]:
    """What is read, of each row of a section: the pieces that stand in code."""
    section = PAGE.partition(f"## {title}\n")[2].partition("\n## ")[0]
    return [
        re.findall("`(.+?)`", line.split("|")[1])
        for line in section.splitlines()
        if line.startswith("| `")
    ]


def matches(pieces: list[str], message: str) -> bool:
    pattern = ".*".join(".*".join(map(re.escape, piece.split("…"))) for piece in pieces)
    return re.match(pattern, message) is not None


@pytest.mark.parametrize("name", SAID)
def test_a_message_has_exactly_one_row(name: str) -> None:
    found = [pieces for pieces in rows("At the gate's action") if matches(pieces, SAID[name])]
    assert len(found) == 1, (SAID[name], found)


def test_no_message_is_forgotten() -> None:
    messages = {
        name
        for module in (held_pipeline, open_gate, refusals)
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if not name.startswith("_") and function.__module__ == module.__name__
    }
    assert messages - ELSEWHERE <= set(SAID)


def test_the_reasons_are_named_too() -> None:
    wanted, failed = (
        replace(INFRA.wanted, require="succeeded"),
        replace(INFRA.executions[0], status="Failed"),
    )
    busy = PipelineState((StageState("Net", failed.id, "InProgress", (), False, None, ()),))
    reasons_for = (
        INFRA,
        replace(
            INFRA,
            unanswered="codepipeline:ListPipelineExecutions was not answered (ThrottlingException)",
        ),
        Upstream(INFRA.wanted, (failed,), hold=replace(HOLD, depends_on=(INFRA.wanted,))),
        Upstream(replace(INFRA.wanted, stage="Net"), (failed,), busy),
        Upstream(wanted, (failed,)),
        Upstream(wanted),
    )
    for upstream in reasons_for:
        said = reasons.why([upstream], NOW)
        assert any(matches(pieces, said) for pieces in rows("Why it waits")), said
