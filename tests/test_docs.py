"""The documents are correct: every example is accepted, every key is described, and every quoted
message is what the console shows.

A story plays a section of docs/parameters.md in the sandbox, with the section's own examples as the
gate's parameters, and yields what the console showed. Only ids differ from run to run: time is
driven, so the documents' times are compared too.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from chalicelib import parameters
from chalicelib.pipelines import dependency
from chalicelib.records import report
from chalicelib.records.outcomes import Outcome
from sandbox.account import ACCOUNT, REGION
from tests.support.calls import Calls
from tests.support.cli import run
from tests.support.condition import conditioned, rule_state
from tests.support.documents import Section, plain, sections
from tests.support.elsewhere import THEIR_PIPELINE_ROLE, in_the_other_account
from tests.support.held import edit
from tests.support.scene import EXECUTION, Scene

ROOT = Path(__file__).parents[1]
README, PARAMETERS, COSTS, ELSEWHERE, EVENTS, ALARMS = (
    (ROOT / name).read_text()
    for name in (
        "README.md",
        "docs/parameters.md",
        "docs/costs.md",
        "docs/elsewhere.md",
        "docs/events.md",
        "docs/alarms.md",
    )
)
AN_ID = "1a2b3c4d-0000-4000-8000-000000000000"

Asked = dict[str, Any]
Story = Callable[[Scene, list[Asked]], Iterator[str]]


def says(quote: str, message: str) -> bool:
    """Whether `message` is what is quoted; "…" stands for what a quote leaves out."""
    return bool(
        re.fullmatch(
            ".+".join(re.escape(part.strip()) for part in quote.split("…")), plain(message)
        )
    )


# What a person does and sees


def ask(scene: Scene, asked: Asked, name: str = "k8s", **more: Any) -> str:
    """Create a pipeline with such a gate, start it, and return its gate's message."""
    scene.gated(name, {**asked, "pipeline": name, "execution": EXECUTION}, **more)
    scene.start(name)
    return scene.gate_message(name)


def run_upstreams(scene: Scene, *names: str, minutes: float = 10, **more: Any) -> None:
    for name in names:
        scene.pipeline(name, seconds=60 * minutes, **more)
        scene.start(name)


# The stories: docs/parameters.md, section by section


def depends_on(scene: Scene, examples: list[Asked]) -> Iterator[str]:
    run_upstreams(scene, "infra", "network")
    yield ask(scene, examples[0])
    scene.wait(minutes=20)
    yield scene.gate_message()
    stopped = scene.start("infra")
    scene.codepipeline.stop_pipeline_execution(
        pipelineName="infra", pipelineExecutionId=stopped, abandon=True
    )
    yield ask(scene, {"depends_on": ["infra"]}, "web")
    scene.start("infra")
    edit(scene, "infra")
    yield ask(scene, {"depends_on": ["infra"]}, "apps")


def another_region(scene: Scene, examples: list[Asked]) -> Iterator[str]:
    virginia = Scene(scene.world)
    virginia.codepipeline = boto3.client("codepipeline", region_name="us-east-1")
    run_upstreams(virginia, "infra")
    yield ask(scene, examples[0])


def another_account(scene: Scene, examples: list[Asked]) -> Iterator[str]:
    run_upstreams(in_the_other_account(scene, REGION), "infra", roleArn=THEIR_PIPELINE_ROLE)
    yield ask(scene, examples[0])


def one_stage(scene: Scene, examples: list[Asked]) -> Iterator[str]:
    scene.staged("infra", ("Deploy", 300), ("Smoke", 600))
    scene.start("infra")
    yield ask(scene, examples[0])
    scene.wait(minutes=6)
    yield scene.gate_message()
    yield ask(scene, {"depends_on": [{"pipeline": "infra", "stage": "Deplyo"}]}, "apps")


def require(scene: Scene, examples: list[Asked]) -> Iterator[str]:
    scene.pipeline("network")
    scene.pipeline("infra", seconds=60, outcome="Failed")
    scene.start("infra")
    scene.wait(minutes=2)
    yield ask(scene, examples[0])
    scene.ends_from_now_on("infra", "Succeeded")
    good = scene.start("infra")
    scene.wait(minutes=2)
    scene.start("infra")
    scene.wait(minutes=2)
    scene.codepipeline.rollback_stage(
        pipelineName="infra", stageName="Deploy", targetPipelineExecutionId=good
    )
    scene.wait(seconds=5)
    yield ask(scene, {"depends_on": ["infra"], "require": "succeeded"}, "apps")


def parked(scene: Scene, examples: list[Asked]) -> Iterator[str]:
    scene.staged("infra", ("Deploy", 60), ("Approve", 0))
    scene.start("infra")
    scene.wait(minutes=2)
    yield ask(scene, {"depends_on": ["infra"]})
    yield ask(scene, examples[0], "apps")


def hold(scene: Scene, examples: list[Asked]) -> Iterator[str]:
    run_upstreams(scene, "infra")
    for number, example in enumerate(examples):
        name = f"k8s-{number}"
        yield ask(scene, example, name).replace(name, "k8s")
    scene.wait(minutes=12)
    assert scene.statuses("k8s-0") == scene.statuses("k8s-1") == ["Succeeded"]


def a_hold(scene: Scene, examples: list[Asked]) -> Iterator[str]:
    run_upstreams(scene, "infra")
    yield ask(scene, examples[0])


def give_up(scene: Scene, examples: list[Asked]) -> Iterator[str]:
    run_upstreams(scene, "infra", minutes=120)
    yield ask(scene, examples[0])
    scene.wait(minutes=36)
    yield scene.gate_message()


def revisions(scene: Scene, examples: list[Asked]) -> Iterator[str]:
    run_upstreams(scene, "infra")
    scene.gated("k8s", {**examples[0], "pipeline": "k8s", "execution": EXECUTION})
    scene.push("k8s", "c0ffee1")
    scene.start("k8s")
    yield scene.gate_message()
    scene.push("k8s", "c0ffee2")
    scene.wait(minutes=11)
    taken = [execution["sourceRevisions"][0] for execution in scene.executions()]
    yield "; ".join(f"{revision['actionName']}: {revision['revisionId']}" for revision in taken)


def bypass(scene: Scene, examples: list[Asked]) -> Iterator[str]:
    run_upstreams(scene, "infra")
    (declared,) = [block for block in _titled("bypass").blocks if "variables" in block]
    assert "has been waiting for infra" in ask(scene, examples[0], **declared)
    scene.start("k8s", variables=[{"name": "bypass", "value": "true"}])
    yield scene.gate_message()


def observe(scene: Scene, examples: list[Asked]) -> Iterator[str]:
    run_upstreams(scene, "infra")
    yield ask(scene, examples[0])
    yield ask(scene, {**examples[0], "depends_on": ["infa"]}, "apps")
    assert scene.statuses("k8s") == scene.statuses("apps") == ["InProgress"]


def who_asks(scene: Scene, _: list[Asked]) -> Iterator[str]:
    run_upstreams(scene, "infra")
    scene.gated("k8s", {"depends_on": ["infra"]})
    scene.start("k8s")
    yield scene.gate_message()
    scene.gated("apps", {"depends_on": ["infra"], "pipeline": "other", "execution": EXECUTION})
    scene.start("apps")
    yield scene.gate_message("apps")


def condition(scene: Scene, examples: list[Asked]) -> Iterator[str]:
    scene.world.dials.rule_judged_by = "error"
    run_upstreams(scene, "infra")
    conditioned(scene, **examples[0])
    scene.start("k8s")
    scene.wait(seconds=10)
    yield rule_state(scene)["errorDetails"]["message"]
    yield ask(scene, {**examples[0], "hold": "wait"}, "apps")


def chain(scene: Scene, _: list[Asked]) -> Iterator[str]:
    run_upstreams(scene, "infra")
    ask(scene, {"depends_on": ["infra"]})
    yield ask(scene, {"depends_on": ["k8s"]}, "apps")


def deadlock(scene: Scene, _: list[Asked]) -> Iterator[str]:
    for name, other in (("infra", "k8s"), ("k8s", "infra")):
        upstream = {"pipeline": other, "require": "succeeded"}
        scene.gated(name, {"depends_on": [upstream], "pipeline": name, "execution": EXECUTION})
    for name in ("infra", "k8s"):
        scene.codepipeline.start_pipeline_execution(name=name)
    scene.wait(minutes=1)
    yield scene.gate_message()


def how_long(scene: Scene, _: list[Asked]) -> Iterator[str]:
    scene.pipeline("infra")
    for _number in range(3):
        scene.start("infra")
        scene.wait(minutes=10)
    scene.start("infra")
    scene.wait(minutes=4)
    yield ask(scene, {"depends_on": ["infra"]})
    (rule,) = scene.rules()
    yield scene.events.describe_rule(Name=rule)["Description"]


def let_go(scene: Scene, _: list[Asked]) -> Iterator[str]:
    run_upstreams(scene, "infra", minutes=60)
    ask(scene, {"depends_on": ["infra"]})
    yield mark_by_person(scene, "release")
    scene.start("k8s")
    yield mark_by_person(scene, "release", "--reason", "hotfix for the login")


def canceled(scene: Scene, _: list[Asked]) -> Iterator[str]:
    run_upstreams(scene, "infra", minutes=60)
    ask(scene, {"depends_on": ["infra"], "hold": "wait"})
    yield mark_by_person(scene, "cancel", "--reason", "wrong commit")


def mark_by_person(scene: Scene, command: str, *options: str) -> str:
    """A person releases or cancels k8s. Return what its gate says then."""
    scene.wait(seconds=10)
    run(command, "k8s", "--yes", *options)
    scene.wait(seconds=40)
    return scene.gate_message().replace(
        "arn:aws:sts::123456789012:user/moto", "arn:aws:iam::123456789012:user/ann"
    )


STORIES: dict[str, Story] = {
    "depends_on": depends_on,
    "An entry's pipeline": another_region,
    "An entry's role_arn and external_id": another_account,
    "An entry's stage": one_stage,
    "require": require,
    "parked": parked,
    "hold": hold,
    "retry_minutes": a_hold,
    "give_up_minutes": give_up,
    "on_give_up": give_up,
    "revisions": revisions,
    "bypass": bypass,
    "observe": observe,
    "Releasing one execution": let_go,
    "Canceling one wait": canceled,
    "pipeline and execution": who_asks,
    "condition": condition,
    "An upstream that is held": chain,
    "Deadlocks": deadlock,
    "Estimated end": how_long,
}


def _titled(title: str) -> Section:
    return next(section for section in sections(PARAMETERS) if section.title == title)


@pytest.mark.parametrize(
    "title", [section.title for section in sections(PARAMETERS) if section.quotes]
)
def test_what_is_quoted_is_what_the_console_shows(scene: Scene, title: str) -> None:
    section = _titled(title)
    seen = list(STORIES[title](scene, section.examples))
    for quote in section.quotes:
        assert any(says(quote, message) for message in seen), (
            f"{quote}\n\nis not among what was shown:\n\n" + "\n".join(seen)
        )


# The examples and the keys


def examples(text: str) -> list[str]:
    """Every UserParameters that a document shows, as text: JSON blocks, and what is inside an
    action's configuration.
    """
    inside = [
        json.loads(f'"{quoted}"')
        for quoted in re.findall(r'"UserParameters": "((?:[^"\\]|\\.)*)"', text)
    ]
    in_yaml = re.findall(r"UserParameters: '(.*)'", text)
    return [
        *inside,
        *in_yaml,
        *(json.dumps(example) for section in sections(text) for example in section.examples),
    ]


@pytest.mark.parametrize("text", [*examples(README), *examples(PARAMETERS)])
def test_the_gate_takes_the_documents_examples(text: str) -> None:
    asked = parameters.parse_parameters(
        text.replace(EXECUTION, AN_ID).replace("#{variables.bypass}", "true"), "5"
    )
    assert asked.depends_on
    assert len(text) <= 1000


def test_the_readme_and_the_parameters_have_examples() -> None:
    assert len(examples(README)) >= 1
    assert len(examples(PARAMETERS)) >= len(parameters.KEYS)


@pytest.mark.parametrize("key", sorted({*parameters.KEYS, *dependency.KEYS}))
def test_every_key_has_a_line_in_a_table(key: str) -> None:
    rows = [line for line in PARAMETERS.splitlines() if line.startswith("|")]
    mentions = rows if key in parameters.KEYS else PARAMETERS.splitlines()
    assert any(re.search(rf"`{key}`", line) for line in mentions)


@pytest.mark.parametrize("key", sorted({*parameters.KEYS, *dependency.KEYS}))
def test_every_key_has_a_section_with_its_name_and_an_example(key: str) -> None:
    (found, *_) = [
        section for section in sections(PARAMETERS) if re.search(rf"\b{key}\b", section.title)
    ]
    shown = (
        found.examples or sections(PARAMETERS)[0].examples
    )  # the first example has pipeline and execution, which all others leave out
    assert any(f'"{key}"' in json.dumps(example) for example in shown)


@pytest.mark.parametrize(
    ("asked", "decision"),
    [
        ({"depends_on": ["infra", "network"]}, "passed"),
        ({"depends_on": ["infra"], "bypass": "true"}, "bypassed"),
        ({"depends_on": ["busy"], "observe": True}, "observed"),
        ({"depends_on": ["mistyped"], "observe": True}, "observed"),
    ],
)
def test_a_gate_that_passes_sets_every_output_variable_of_the_table(
    scene: Scene, asked: Asked, decision: str
) -> None:
    scene.pipeline("network")
    run_upstreams(scene, "infra", minutes=1)
    run_upstreams(scene, "busy")
    scene.wait(minutes=2)
    ask(scene, asked)
    variables = scene.outputs()
    assert set(variables) == set(re.findall(r"#{gate\.(\w+)}", PARAMETERS))
    assert variables["Decision"] == decision
    assert all(variables.values())
    if decision == "passed":
        infra = scene.executions("infra")[0]["pipelineExecutionId"]
        assert (variables["UpstreamPipelines"], variables["UpstreamExecutionIds"]) == (
            "infra,network",
            f"{infra},none",
        )


# The README's length


def test_the_readme_is_short() -> None:
    words = README.partition("\n## Reference\n")[0].split()
    assert sum(any(map(str.isalnum, word)) for word in words) <= 900


# docs/costs.md


def test_the_costs_count_the_calls_of_a_hold_of_an_hour(scene: Scene, calls: Calls) -> None:
    run_upstreams(scene, "infra", minutes=60)
    ask(scene, {"depends_on": ["infra"]})
    scene.wait(minutes=63)
    assert (
        f"A hold of an hour costs one failed execution, one restart and {len(calls.made)} AWS calls"
        in plain(COSTS)
    )


# docs/events.md


def test_the_events_and_the_log_lines_are_as_documented(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "pipeline-gate-dev-retry")
    # Chalice's test client sets EVENT_BUS as .chalice/config.json has it
    monkeypatch.setattr(report, "os", SimpleNamespace(environ={"EVENT_BUS": "default"}))
    logs, group = boto3.client("logs"), "/aws/events/pipeline-gate"
    logs.create_log_group(logGroupName=group)
    scene.events.put_rule(Name="listen", EventPattern=json.dumps({"source": ["pipeline-gate"]}))
    scene.events.put_targets(
        Rule="listen",
        Targets=[{"Id": "log", "Arn": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{group}"}],
    )
    run_upstreams(scene, "infra")
    ask(scene, {"depends_on": ["infra"]})
    scene.wait(minutes=11)
    groups = (group, "/aws/lambda/pipeline-gate-dev-retry")
    lines = [
        event["message"]
        for name in groups
        for event in logs.filter_log_events(logGroupName=name)["events"]
    ]
    seen = [_normal(json.loads(line)) for line in lines if line.startswith("{")]
    documented = [block for section in sections(EVENTS) for block in section.blocks]
    assert len(documented) == 3
    for block in documented:
        assert _normal(block) in seen


def _normal(record: Asked) -> Asked:
    normal: Asked = json.loads(plain(json.dumps(record)).replace("-dev-", "-prod-"))
    return normal


def test_every_outcome_is_in_the_table_with_its_metrics_and_states() -> None:
    rows = [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in EVENTS.splitlines()
        if re.match(r"\| (gate|retry|both) \|", line)
    ]
    documented = {
        (word, frozenset(re.findall("`(.+?)`", row[3])), row[4])
        for row in rows
        for word in re.findall("`(.+?)`", row[1])
    }
    assert documented == {
        (
            outcome.word,
            frozenset(
                {
                    *outcome.metrics,
                    *(["WaitTime"] if outcome.ends_hold else []),
                    *(["Waiting"] if outcome.keeps_hold else []),
                }
            ),
            ", ".join(outcome.states),
        )
        for outcome in Outcome
    }


# docs/elsewhere.md


def test_the_forwarding_rule_makes_a_release_from_elsewhere_instant(scene: Scene) -> None:
    there = in_the_other_account(scene, "us-east-1")
    run_upstreams(there, "infra", roleArn=THEIR_PIPELINE_ROLE)
    (pattern,) = re.findall(r"--event-pattern \\\n  '(.*)'", ELSEWHERE)
    (bus,) = re.findall(r"'Id=gate,Arn=(.*?),", ELSEWHERE)
    there.events.put_rule(Name="forward-pipeline-events", EventPattern=pattern)
    there.events.put_targets(Rule="forward-pipeline-events", Targets=[{"Id": "gate", "Arn": bus}])
    (asked,) = [example for section in sections(ELSEWHERE) for example in section.examples]
    ask(scene, {**asked, "retry_minutes": 60})
    assert scene.statuses() == ["Failed"]
    scene.wait(minutes=10)
    assert scene.statuses()[1:] == ["Failed"]


def test_the_documents_templates_pass_cfn_lint(tmp_path: Path) -> None:
    """All in one run of cfn-lint, whose start takes a second."""
    templates = re.findall(
        r"^```yaml\n(AWSTemplate.*?)^```",
        ELSEWHERE + EVENTS + ALARMS,
        flags=re.MULTILINE | re.DOTALL,
    )
    assert len(templates) >= 4
    for number, template in enumerate(templates):
        (tmp_path / f"{number}.yaml").write_text(template)
    linted = subprocess.run(
        [Path(sys.executable).with_name("cfn-lint"), *tmp_path.iterdir()],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (linted.returncode, linted.stdout) == (0, "")


# docs/alarms.md


def test_the_alarms_are_on_metrics_that_exist() -> None:
    named = set(re.findall(r"Namespace: PipelineGate\n +MetricName: (\w+)", ALARMS))
    assert named == {"GaveUp", "Waiting", "Deadlocks", "Refused", "Defects"}
    assert named - {"Waiting"} <= {metric for outcome in Outcome for metric in outcome.metrics}


@pytest.mark.parametrize(
    ("number", "refusals"), [(0, []), (1, [("web", "Wait")])], ids=["by name", "by token"]
)
def test_the_patterns_of_failed_actions_leave_out_the_holds(
    scene: Scene, number: int, refusals: list[tuple[str, str]]
) -> None:
    pattern = [block for section in sections(ALARMS) for block in section.blocks][number]
    logs, group = boto3.client("logs"), "/aws/events/failures"
    logs.create_log_group(logGroupName=group)
    scene.events.put_rule(Name="failures", EventPattern=json.dumps(pattern))
    scene.events.put_targets(
        Rule="failures",
        Targets=[{"Id": "log", "Arn": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{group}"}],
    )
    run_upstreams(scene, "infra", minutes=1, outcome="Failed")
    ask(scene, {"depends_on": ["infra"]})
    assert scene.statuses() == ["Failed"]
    scene.wait(minutes=10)
    ask(scene, {"depends_on": ["nowhere"]}, "web")
    seen = [
        json.loads(event["message"])["detail"]
        for event in logs.filter_log_events(logGroupName=group)["events"]
    ]
    assert [(one["pipeline"], one["action"]) for one in seen] == [("infra", "Deploy"), *refusals]
