"""docs/alarms.md: which events a hold sends, what its patterns leave out, and when its alarm on the
longest wait rings.
"""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from cfnlint.decode import decode_str

from gatectl.structure import ACTION
from sandbox.account import ACCOUNT, REGION
from sandbox.clock import utcnow
from sandbox.eventbridge.pattern import compile_pattern
from tests.support.ask import ask
from tests.support.documents import sections
from tests.support.held import hold_k8s
from tests.support.logs import read_log
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
    pattern, _ = [block for section in sections(PAGE) for block in section.blocks]
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


def test_the_pattern_by_token_matches_a_failure_whose_event_has_no_message() -> None:
    _, pattern = [block for section in sections(PAGE) for block in section.blocks]
    event: dict[str, Any] = {
        "source": "aws.codepipeline",
        "detail-type": "CodePipeline Action Execution State Change",
        "detail": {"state": "FAILED", "action": "Deploy"},
    }
    matches = compile_pattern(json.dumps(pattern))
    assert matches(event)
    event["detail"]["execution-result"] = {"error-code": "JobFailed"}
    assert matches(event)


# The alarm on the longest wait


def is_in_alarm(alarm: dict[str, Any], begin: datetime) -> bool:
    """Whether the period that begins then puts the alarm of the template into ALARM, by what the
    functions have logged (guide: CloudWatch_Embedded_Metric_Format_Specification).
    """
    values: dict[str, float | None] = {}
    for query in alarm["Metrics"]:
        if "Expression" in query:
            functions = {"MAX": max, "FILL": lambda value, other: other if value is None else value}
            longest = eval(query["Expression"], functions, values)  # noqa: S307 - our own template
            continue
        stat = query["MetricStat"]
        (dimension,) = stat["Metric"]["Dimensions"]
        assert stat["Stat"] == "Maximum"
        function = dimension["Value"]["Fn::Sub"].removeprefix("pipeline-gate-${Stage}-")
        end = begin + timedelta(seconds=stat["Period"])
        values[query["Id"]] = max(
            (
                line[stat["Metric"]["MetricName"]]
                for line in read_log(function)
                if _has_metric(line, stat["Metric"])
                and begin.timestamp() <= line["_aws"]["Timestamp"] / 1000 < end.timestamp()
            ),
            default=None,
        )
    assert alarm["ComparisonOperator"] == "GreaterThanThreshold"
    return bool(longest > alarm["Threshold"])


def _has_metric(line: dict[str, Any], metric: dict[str, Any]) -> bool:
    return any(
        directive["Namespace"] == metric["Namespace"]
        and directive["Dimensions"] == [["FunctionName"]]
        and {"Name": metric["MetricName"], "Unit": "Seconds"} in directive["Metrics"]
        for directive in line.get("_aws", {}).get("CloudWatchMetrics", ())
    )


@pytest.mark.parametrize("mode", ["restart", "retry", "wait"])
def test_the_alarm_rings_while_a_hold_has_waited_for_more_than_two_hours(
    scene: Scene, mode: str
) -> None:
    (template,) = re.findall(r"^```yaml\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
    declared, _ = decode_str(template)
    assert declared
    alarm = declared["Resources"]["WaitsTooLong"]["Properties"]
    assert alarm["TreatMissingData"] == "notBreaching"
    begin = utcnow()
    hold_k8s(scene, seconds=175 * 60, minutes=0, hold=mode)
    scene.wait(minutes=240)
    assert scene.statuses()[0] == "Succeeded"
    period = timedelta(seconds=alarm["Metrics"][0]["MetricStat"]["Period"])
    rings = [is_in_alarm(alarm, begin + number * period) for number in range(16)]
    assert rings == [*[False] * 8, *[True] * 4, *[False] * 4]
