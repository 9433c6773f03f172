"""docs/messages.md has a row for every message that the gate can show in the console."""

from __future__ import annotations

import inspect
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from chalicelib import errors
from chalicelib.holds.mode import RETRY
from chalicelib.holds.schedule import Schedule
from chalicelib.pipelines.state import PipelineState, StageState
from chalicelib.pipelines.upstream import Upstream
from chalicelib.pipelines.wait_cycles import Cycle
from chalicelib.wording import held_pipeline, open_gate, reasons, refusals
from tests.support.samples import DEADLINE, HOLD, INFRA, NOW

PAGE = (Path(__file__).parents[2] / "docs/messages.md").read_text()
EARLIER = NOW - timedelta(hours=1)
ANN = "arn:aws:iam::123456789012:user/ann"
SAID = {
    "describe_pass": open_gate.describe_pass([Upstream(INFRA.dependency)], NOW),
    "describe_bypass": open_gate.describe_bypass([INFRA.dependency]),
    "describe_hold": held_pipeline.describe_hold([INFRA], HOLD, Schedule.begin(NOW, 5), NOW),
    "held to be retried": held_pipeline.describe_hold(
        [INFRA], replace(HOLD, mode=RETRY), Schedule.begin(NOW, 5), NOW
    ),
    "describe_wait": held_pipeline.describe_wait([INFRA], "k8s", EARLIER, DEADLINE, "stop", NOW),
    "describe_pass_after_give_up": open_gate.describe_pass_after_give_up([INFRA], EARLIER, NOW),
    "describe_release": open_gate.describe_release([INFRA], ANN, EARLIER, NOW),
    "describe_cancellation": held_pipeline.describe_cancellation(
        ["infra"], [INFRA], ANN, EARLIER, NOW
    ),
    "describe_give_up": held_pipeline.describe_give_up([INFRA], EARLIER, NOW),
    "describe_observed_wait": open_gate.describe_observed_wait([INFRA], NOW),
    "describe_observed_refusal": open_gate.describe_observed_refusal("There is no pipeline x."),
    "describe_deadlock": held_pipeline.describe_deadlock(Cycle(("a", "b", "a"), deadlock=True)),
    "describe_full_quota": held_pipeline.describe_full_quota([INFRA], NOW),
    "describe_missing_upstream": refusals.describe_missing_upstream(
        "infra", "123456789012", "eu-central-1"
    ),
    "describe_missing_region": refusals.describe_missing_region("infra", "eu-centrall-1", "aws"),
    "describe_missing_stage": refusals.describe_missing_stage("infra", "Deploi", ["Deploy"]),
    "describe_foreign_pipeline": refusals.describe_foreign_pipeline("victim", "evil"),
    "describe_finished_execution": refusals.describe_finished_execution("e", "k8s", "Failed"),
    "describe_no_gate_in_progress": refusals.describe_no_gate_in_progress("e", "k8s"),
    "describe_foreign_execution": refusals.describe_foreign_execution(HOLD.execution, "k8s"),
    "describe_unknown_owner": refusals.describe_unknown_owner("pipeline"),
    "describe_no_room": refusals.describe_no_room("k8s"),
    "describe_closed_condition": refusals.describe_closed_condition("held"),
    "describe_defect": refusals.describe_defect(
        errors.UnexpectedAnswer("events:PutRule answered X"), "r"
    ),
}
ELSEWHERE = {"describe_rule", "describe_deadline"}
"""Texts that are not messages of their own at the action."""


def rows(title: str) -> list[list[str]]:
    """The quoted pieces of a message, for each row of a section."""
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
        replace(INFRA.dependency, require="succeeded"),
        replace(INFRA.executions[0], status="Failed"),
    )
    busy = PipelineState((StageState("Net", failed.id, "InProgress", (), False, None, ()),))
    reasons_for = (
        INFRA,
        replace(
            INFRA,
            unanswered="codepipeline:ListPipelineExecutions was not answered (ThrottlingException)",
        ),
        Upstream(INFRA.dependency, (failed,), hold=replace(HOLD, depends_on=(INFRA.dependency,))),
        Upstream(replace(INFRA.dependency, stage="Net"), (failed,), busy),
        Upstream(wanted, (failed,)),
        Upstream(wanted),
    )
    for upstream in reasons_for:
        said = reasons.describe_reasons([upstream], NOW)
        assert any(matches(pieces, said) for pieces in rows("Why it is waiting")), said


@pytest.mark.parametrize(
    ("require", "status", "kind"),
    [("idle", "Cancelled", "STANDARD"), ("succeeded", "Succeeded", "ROLLBACK")],
)
def test_a_cancelled_upstream_and_a_rollback_have_rows_of_their_own(
    require: Any, status: str, kind: str
) -> None:
    dependency = replace(INFRA.dependency, require=require)
    execution = replace(INFRA.executions[0], status=status, kind=kind, updated=NOW)
    reason = reasons.describe_reasons([Upstream(dependency, (execution,), read_at=NOW)], NOW)
    assert [pieces for pieces in rows("Why it is waiting") if matches(pieces, reason)] != []
