"""docs/alarms.md: which events a hold sends, and that its pattern leaves out the gate's action."""

from __future__ import annotations

import json
import re
from pathlib import Path

import boto3
import pytest

from gatectl.structure import ACTION
from sandbox.account import ACCOUNT, REGION
from sandbox.eventbridge.pattern import compile_pattern
from tests.support.ask import ask
from tests.support.documents import sections
from tests.support.scene import Scene

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/alarms.md").read_text()
GATE_NAMES = {
    "cloudformation/pipelines.yaml": r"Name: (\w+)\n +ActionTypeId: {Category: Invoke",
    "terraform/pipelines.tf": r'name += "(\w+)"\n +category += "Invoke"',
    "cdk/gate.py": r'LambdaInvokeAction\(action_name="(\w+)"',
}
ROWS = dict(re.findall(r"^\| `(restart|retry|wait)` \| (.+) \|$", PAGE, flags=re.MULTILINE))


@pytest.mark.parametrize("mode", ["restart", "retry", "wait"])
def test_a_hold_sends_the_events_of_the_table(scene: Scene, mode: str) -> None:
    logs, group = boto3.client("logs"), "/aws/events/pipelines"
    logs.create_log_group(logGroupName=group)
    scene.events.put_rule(
        Name="listen",
        EventPattern=json.dumps({"source": ["aws.codepipeline"], "detail": {"pipeline": ["k8s"]}}),
    )
    scene.events.put_targets(
        Rule="listen",
        Targets=[{"Id": "log", "Arn": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{group}"}],
    )
    scene.pipeline("infra")
    scene.start("infra")
    scene.gated("k8s", ask(hold=mode))
    held = scene.start("k8s")
    scene.wait(minutes=12)
    events = [
        json.loads(event["message"])
        for event in logs.filter_log_events(logGroupName=group)["events"]
    ]
    failed = [
        event["detail-type"].split()[1] for event in events if event["detail"]["state"] == "FAILED"
    ]
    ended = [
        (event["detail"]["state"], event["detail"]["execution-id"] == held)
        for event in events[1:]
        if event["detail-type"].startswith("CodePipeline Pipeline")
        and event["detail"]["state"] in ("STARTED", "RESUMED")
    ]
    begins = {
        ("Action", "Stage", "Pipeline"): "FAILED for the action, its stage and the execution",
        (): "nothing",
    }
    ends = {
        (("STARTED", False),): "STARTED for a new execution",
        (("RESUMED", True),): "RESUMED for the same execution",
        (): "nothing",
    }
    assert ROWS[mode] == f"{begins[tuple(failed)]} | {ends[tuple(ended)]}"


def test_no_alarm_counts_the_errors_with_which_a_closed_condition_ends() -> None:
    counted = re.findall(r"MetricName: Errors\n +Dimensions: .*-(gate|retry)\"", PAGE)
    assert counted == ["retry"]


def test_the_pattern_leaves_out_the_gates_action_of_attach_and_of_every_example() -> None:
    (pattern,) = [block for section in sections(PAGE) for block in section.blocks]
    matches = compile_pattern(json.dumps(pattern))

    def is_matched(action: str) -> bool:
        return matches(
            {
                "source": "aws.codepipeline",
                "detail-type": "CodePipeline Action Execution State Change",
                "detail": {"state": "FAILED", "action": action},
            }
        )

    names = {
        file: re.findall(name, (ROOT / "examples" / file).read_text())
        for file, name in GATE_NAMES.items()
    }
    assert names == {file: [ACTION] for file in GATE_NAMES}
    assert (is_matched(ACTION), is_matched("Deploy")) == (False, True)
