"""The lines of the log."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

import pytest

from chalicelib.records import log
from chalicelib.records.outcomes import Outcome


def test_a_decision_is_one_line_of_json_and_the_functions_result(
    capsys: pytest.CaptureFixture[str],
) -> None:
    record = log.log_decision(
        "retry", Outcome.WAITING, rule="r", started=None, since=datetime(2026, 1, 5, tzinfo=UTC)
    )
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line) == {
        "function": "retry",
        "decision": "waiting",
        "rule": "r",
        "since": "2026-01-05 00:00:00+00:00",
    }
    assert json.loads(json.dumps(record, default=str)) == json.loads(line)


def test_a_defect_is_logged_with_the_places_it_went_through_but_not_its_message(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(KeyError) as raised:
        raise KeyError("a secret")
    record = log.log_defect("gate", raised.value, job="j")
    places = record.pop("places")
    assert record == {"function": "gate", "decision": "defect", "error": "KeyError", "job": "j"}
    assert isinstance(places, list)
    assert re.fullmatch(r".*test_log\.py:\d+ test_a_defect_is_.*", places[0])
    assert "secret" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("outcome", "fields", "counted"),
    [
        (Outcome.HELD, {"waiting_seconds": 0}, {"Held": 1, "Waiting": 0}),
        (Outcome.STILL_HELD, {"waiting_seconds": 90}, {"Waiting": 90}),
        (Outcome.STILL_HELD, {"waiting_seconds": 90, "answered": False}, {}),
        (Outcome.KEPT_OPEN, {"waiting_seconds": 0}, {"Held": 1, "Waiting": 0}),
        (Outcome.PASSED, {}, {"Passed": 1}),
        (Outcome.BYPASSED, {}, {"Bypassed": 1}),
        (Outcome.OBSERVED, {}, {"Observed": 1}),
        (
            Outcome.WAIT_RELEASED,
            {"waited_seconds": 90},
            {"Released": 1, "Passed": 1, "WaitTime": 90},
        ),
        (Outcome.WAIT_LET_GO, {"waited_seconds": 90}, {"LetGo": 1, "Passed": 1, "WaitTime": 90}),
        (Outcome.WAIT_CONTINUED, {"waited_seconds": 9}, {"GaveUp": 1, "Passed": 1, "WaitTime": 9}),
        (Outcome.STARTED, {"waited_seconds": 0}, {"Released": 1, "WaitTime": 0}),
        (Outcome.RETRIED, {"waited_seconds": 90}, {"Released": 1, "WaitTime": 90}),
        (Outcome.LET_GO, {"waited_seconds": 90}, {"LetGo": 1, "WaitTime": 90}),
        (Outcome.GAVE_UP, {"waited_seconds": 90}, {"GaveUp": 1, "WaitTime": 90}),
        (Outcome.CANCELED, {"waited_seconds": 90}, {"Canceled": 1, "WaitTime": 90}),
        (Outcome.DROPPED, {"waited_seconds": 90}, {"Dropped": 1, "WaitTime": 90}),
        (Outcome.DEADLOCK, {}, {"Deadlocks": 1}),
        (Outcome.REFUSED, {}, {"Refused": 1}),
        (Outcome.WAITING, {"waiting_seconds": 90}, {"Waiting": 90}),
        (Outcome.WAITING, {}, {}),
        (Outcome.OVER, {}, {}),
        (Outcome.DROPPED, {"waited_seconds": 90, "answered": False}, {}),
    ],
)
def test_what_counts_is_a_metric_of_the_function(
    outcome: Outcome,
    fields: dict[str, object],
    counted: dict[str, int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "pipeline-gate-prod-gate")
    record = log.log_decision("gate", outcome, **fields)
    line = json.loads(capsys.readouterr().out)
    assert record == {
        "function": "gate",
        "decision": outcome.word,
        **fields,
    }  # the function's result has no metrics in it
    if not counted:
        assert line == record
        return
    directive = line["_aws"]["CloudWatchMetrics"][0]
    assert {metric["Name"]: line[metric["Name"]] for metric in directive["Metrics"]} == counted
    assert {metric["Name"]: metric["Unit"] for metric in directive["Metrics"]} == {
        name: "Seconds" if name in ("WaitTime", "Waiting") else "Count" for name in counted
    }
    assert (directive["Namespace"], directive["Dimensions"], line["FunctionName"]) == (
        "PipelineGate",
        [["FunctionName"]],
        "pipeline-gate-prod-gate",
    )


def test_a_metric_has_the_time_of_its_line_in_milliseconds(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """(guide: CloudWatch_Embedded_Metric_Format_Specification, "Metadata object")"""
    monkeypatch.setattr("time.time", lambda: 1767614670.25)
    log.log_decision("gate", Outcome.HELD)
    assert json.loads(capsys.readouterr().out)["_aws"]["Timestamp"] == 1767614670250
