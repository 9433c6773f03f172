"""The deployment's settings: mistakes that would otherwise only appear at the first hold in
production.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from chalicelib.deployment import (
    STAGE_LENGTH,
    name_gate_function,
    name_retry_function,
    refuse_long_stage,
)
from chalicelib.parameters import RETRY_MINUTES

ROOT = Path(__file__).parents[2]
CONFIG: dict[str, Any] = json.loads((ROOT / ".chalice/config.json").read_text())


@pytest.mark.parametrize("stage", CONFIG["stages"])
def test_a_stages_name_leaves_room_in_its_rules_names(stage: str) -> None:
    refuse_long_stage(stage)


def test_each_function_has_its_own_policy_in_any_stage() -> None:
    functions = CONFIG["lambda_functions"]
    assert CONFIG["autogen_policy"] is False
    assert not any("lambda_functions" in settings for settings in CONFIG["stages"].values())
    assert {name: function["iam_policy_file"] for name, function in functions.items()} == {
        "gate": "policy-gate.json",
        "retry": "policy-retry.json",
        "api_handler": "policy-board.json",
    }


def test_the_default_interval_is_one_that_the_gate_takes() -> None:
    assert int(CONFIG["environment_variables"]["RETRY_MINUTES"]) in RETRY_MINUTES


@pytest.mark.parametrize("stage", CONFIG["stages"])
def test_the_board_is_off_unless_somebody_asks_for_it(stage: str) -> None:
    assert {
        **CONFIG["environment_variables"],
        **CONFIG["stages"][stage].get("environment_variables", {}),
    }["BOARD"] == ""


def test_nothing_third_party_goes_into_the_zip() -> None:
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    assert [line for line in lines if line.strip() and not line.startswith("#")] == []


@pytest.mark.parametrize("name", ["merge-names.json", "merge-board.json"])
def test_the_template_names_the_functions_as_the_gate_needs_it(name: str) -> None:
    template = json.loads((ROOT / ".chalice" / name).read_text())
    names = {
        resource: members["Properties"]["FunctionName"]["Fn::Sub"]
        for resource, members in template["Resources"].items()
        if resource in ("Gate", "Retry")
    }
    assert names == {
        "Gate": name_gate_function("${Stage}"),
        "Retry": name_retry_function("${Stage}"),
    }
    pattern = template["Parameters"]["Stage"]["AllowedPattern"]
    assert re.fullmatch(pattern, "prod-euw1-123"[:STAGE_LENGTH])
    assert not re.fullmatch(pattern, "s" * (STAGE_LENGTH + 1))
