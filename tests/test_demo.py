"""`make demo`, as a user runs it. It takes as long as it says, half a minute."""

from __future__ import annotations

import os
import pkgutil
import re
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sandbox.story import calls
from sandbox.story.moments import list_moments
from sandbox.story.snapshot import Execution, Pipeline, Rule, Stage, StorySnapshot
from sandbox.story.summary import list_problems

ROOT = Path(__file__).parents[1]
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)

STORY = (
    r" s  deploy   AWS Lambda has pipeline-gate-sandbox-gate and pipeline-gate-sandbox-retry$",
    r" s  attach   gatectl attach k8s --depends-on infra$",
    r" s  k8s      has a gate: Source > Gate > Deploy$",
    r" s  infra    execution (?P<infra>[0-9a-f]{8}) starts$",
    r" s  k8s      execution (?P<held>[0-9a-f]{8}) starts$",
    r" s  rule     an EventBridge rule remembers the hold: pipeline-gate-sandbox-(?P=held)-",
    r" s  rule     .* schedule, cron\(\d/5 \* \* \* \? \*\),$",
    r' s  rule     .*"pipeline": \["infra"\]',
    r" s  rule     .* arn:aws:lambda:.*:function:pipeline-gate-sandbox-retry$",
    r" s  gate     holds k8s\. .*: k8s has been waiting for infra since .*infra is running: "
    r"execution (?P=infra) has been InProgress",
    r" s  infra    execution (?P=infra) has ended: Succeeded$",
    r" s  retry    .*pipeline-gate-sandbox-retry.* starts k8s again: execution "
    r"(?P<restart>[0-9a-f]{8})$",
    r" s  gate     lets k8s pass\. .*: infra is idle: its last execution (?P=infra) Succeeded at ",
    r" s  k8s      execution (?P=restart) has ended: Succeeded$",
    r"^\$ aws codepipeline list-pipeline-executions ",
    r"^\|  (?P=restart)-[-0-9a-f]+  \|  Succeeded \|$",
    r"^\|  (?P=held)-[-0-9a-f]+  \|  Failed    \|$",
    r"^\$ aws events list-rules$",
    r'^    "Rules": \[\]$',
    r"^k8s started again \d+\.\d s after infra had finished\.$",
    # a hold, its release and an open gate, which makes two calls
    r"^The functions made 23 AWS calls: 12 by pipeline-gate-sandbox-gate in 2 invocations and 11 "
    r"by pipeline-gate-sandbox-retry in 1 inv",
    r"^No rule is left\.$",
)


PATIENT_DEMO = """
from sandbox.story import summary
summary.MAX_SECONDS_TO_RESTART = 60
from sandbox.demo import main
main()
"""
"""`python -m sandbox.demo`, but not surprised if a loaded machine takes more than two seconds to
start a function.
"""


def demo(tmp_path: Path) -> subprocess.Popen[str]:
    """The demo. All its temporary files are below `tmp_path`."""
    return subprocess.Popen(
        [sys.executable, "-c", PATIENT_DEMO],
        cwd=ROOT,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_story(tmp_path: Path) -> None:
    deployed = set(ROOT.glob(".chalice/deployed/*"))
    with demo(tmp_path) as process:
        told, errors = process.communicate(timeout=180)
    assert (process.returncode, errors) == (0, ""), told
    assert re.search("[^\n -~]", told) is None  # plain ASCII lines: no colours, no cursor movements
    assert re.search(".*?".join(f"(?m:{line})" for line in STORY), told, re.DOTALL), told
    assert list(tmp_path.iterdir()) == []
    assert set(ROOT.glob(".chalice/deployed/*")) == deployed


def test_ctrl_c_ends_it_and_leaves_nothing(tmp_path: Path) -> None:
    with demo(tmp_path) as process:
        assert process.stdout
        while "holds k8s" not in (line := process.stdout.readline()):
            assert line, "the demo ended before"
        process.send_signal(signal.SIGINT)
        told, errors = process.communicate(timeout=120)
    assert (process.returncode, errors) == (130, "")
    assert told.endswith("Interrupted. Nothing is left running.\n")
    assert list(tmp_path.iterdir()) == []


def execution(number: int, status: str, started: float, updated: float) -> Execution:
    return Execution(
        f"{number:08}-",
        status,
        NOON + timedelta(seconds=started),
        NOON + timedelta(seconds=updated),
        "someone",
    )


INFRA = Pipeline("infra", (), (execution(1, "Succeeded", 0, 20),))
HELD = execution(2, "Failed", 0, 3)
RULE = Rule("pipeline-gate-sandbox-2", "cron(5/5 * * * ? *)", "{}", "")


@pytest.mark.parametrize(
    ("k8s", "rules", "problem"),
    [
        ([execution(3, "Succeeded", 21, 30), HELD], [], None),
        ([execution(3, "Succeeded", 23, 30), HELD], [], "3.0 s after infra had finished"),
        ([execution(3, "Succeeded", 19, 30), HELD], [], "-1.0 s after infra had finished"),
        ([execution(3, "Failed", 21, 30), HELD], [], "Failed, Failed"),
        ([execution(3, "Succeeded", 21, 30)], [], "executions Succeeded (newest first)"),
        ([HELD], [], "executions Failed (newest first)"),
        ([], [], "executions none"),
        ([execution(3, "Succeeded", 21, 30), HELD], [RULE], "still has pipeline-gate-sandbox-2"),
    ],
)
def test_a_story_that_goes_otherwise_is_a_failure(
    k8s: list[Execution], rules: list[Rule], problem: str | None
) -> None:
    found = list_problems(
        StorySnapshot(NOON, (INFRA, Pipeline("k8s", (), tuple(k8s))), tuple(rules))
    )
    assert len(found) == (problem is not None)
    assert problem is None or problem in found[0]


def test_each_event_is_shown_once_in_its_own_order() -> None:
    gate = Stage("Gate", "Failed", HELD.id, HELD.updated, "infra runs")
    held = StorySnapshot(
        NOON + timedelta(seconds=4),
        (INFRA, Pipeline("k8s", (gate,), (HELD,))),
        (replace(RULE, target="arn:retry"),),
    )
    told = list_moments(StorySnapshot(NOON), held)
    assert told == sorted(told, key=lambda moment: moment.at)
    assert [moment.actor for moment in told if moment.text.endswith(": infra runs")] == ["gate"]
    assert list_moments(held, held) == []
    assert [moment.text for moment in list_moments(held, replace(held, rules=()))] == [
        "pipeline-gate-sandbox-2 was removed, because the wait is over"
    ]


@pytest.mark.parametrize("name", calls.PATCHED)
def test_each_moto_internal_that_counts_calls_exists(name: str) -> None:
    assert callable(pkgutil.resolve_name(name))
