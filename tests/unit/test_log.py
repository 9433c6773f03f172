"""What stands in the log."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

import pytest

from chalicelib import log


def test_a_decision_is_one_line_of_json_and_the_functions_result(capsys: pytest.CaptureFixture[str]) -> None:
    record = log.decision("retry", "waiting", rule="r", started=None, since=datetime(2026, 1, 5, tzinfo=UTC))
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line) == {"function": "retry", "decision": "waiting", "rule": "r", "since": "2026-01-05 00:00:00+00:00"}
    assert json.loads(json.dumps(record, default=str)) == json.loads(line)


def test_a_defect_is_logged_with_the_places_it_went_through_but_not_its_message(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyError) as raised:
        raise KeyError("a secret")
    record = log.defect("gate", raised.value, job="j")
    places = record.pop("places")
    assert record == {"function": "gate", "decision": "defect", "error": "KeyError", "job": "j"}
    assert isinstance(places, list)
    assert re.fullmatch(r".*test_log\.py:\d+ test_a_defect_is_.*", places[0])
    assert "secret" not in capsys.readouterr().out
