"""Adding a gate to any structure, or removing it, changes nothing else in the structure. Otherwise
the change is refused.
"""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import settings as run_settings
from hypothesis import strategies as st

from chalicelib.account.gates import find_gates
from gatectl.structure import (
    BYPASS,
    Declaration,
    Impossible,
    add_gate,
    find_gates_after,
    format_parameters,
    remove_gates,
)
from sandbox.account import PIPELINE_ROLE
from sandbox.codepipeline import limits
from sandbox.codepipeline import structure as codepipeline
from tests.support.structures import (
    CONDITION_TEXT,
    GATE,
    TEXT,
    Stage,
    action,
    entry,
    gate,
    pipeline,
    rule,
    stage,
)


def names(declared: Declaration) -> list[str]:
    return [stage["name"] for stage in declared["stages"]]


def ungated(declared: Declaration) -> Declaration:
    """Return the structure without gates, without stages and conditions that contain only gates,
    and without the variable of `bypass`.
    """

    def leave_gates_out(actions: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [action for action in actions if action["configuration"].get("FunctionName") != GATE]

    left = copy.deepcopy(declared)
    for each in left["stages"]:
        each["actions"] = leave_gates_out(each["actions"])
        if "beforeEntry" in each:
            (condition,) = each["beforeEntry"]["conditions"]
            condition["rules"] = leave_gates_out(condition["rules"])
            if not condition["rules"]:
                del each["beforeEntry"]
    left["stages"] = [each for each in left["stages"] if each["actions"]]
    left["variables"] = [
        variable for variable in left.get("variables", []) if variable["name"] != "bypass"
    ]
    return left


# Structures that CodePipeline accepts, with any number of gates anywhere.

NAMES = ["Gate", "Gate-2", "Build", "Deploy", "Wait"]
NAMESPACES = ["gate", "gate-2", "build"]


@st.composite
def an_action(draw: st.DrawFn, name: str) -> dict[str, Any]:
    optional = {"runOrder": st.integers(1, 3), "roleArn": st.just(PIPELINE_ROLE)}
    keys = draw(st.fixed_dictionaries({}, optional=optional))
    made: dict[str, Any] = draw(st.sampled_from([*[action] * 5, gate]))(name, **keys)
    return made


@st.composite
def a_stage(draw: st.DrawFn, name: str, *, v2: bool) -> Stage:
    inside = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True))
    made = stage(name, *(draw(an_action(name)) for name in inside))
    if v2:
        rules = st.lists(st.sampled_from(["Wait", "Alarm"]), min_size=1, unique=True)
        function = st.sampled_from(["ours", "ours", "ours", GATE])
        optional = {
            "beforeEntry": rules.map(
                lambda chosen: entry(*(rule(name, draw(function)) for name in chosen))
            ),
            "onFailure": st.sampled_from(
                [
                    {"result": "ROLLBACK"},
                    {"result": "RETRY", "retryConfiguration": {"retryMode": "ALL_ACTIONS"}},
                ]
            ),
            "onSuccess": st.just(entry(rule("Check", "ours"))),
        }
        made |= draw(st.fixed_dictionaries({}, optional=optional))
    return made


@st.composite
def structures(draw: st.DrawFn) -> Declaration:
    v2 = draw(st.booleans())
    stages = draw(st.lists(st.sampled_from(NAMES), min_size=1, unique=True))
    made = pipeline(
        *(draw(a_stage(name, v2=v2)) for name in stages), pipelineType="V2" if v2 else "V1"
    )
    actions = [action for stage in made["stages"] for action in stage["actions"]]
    namespaces = draw(st.lists(st.sampled_from(NAMESPACES), unique=True))
    for producer, namespace in zip(draw(st.permutations(actions)), namespaces, strict=False):
        producer["namespace"] = namespace
        if draw(st.booleans()):
            draw(st.sampled_from(actions))["configuration"]["Note"] = f"#{{{namespace}.Decision}}"
    if v2:
        bypass = st.sampled_from([{"name": "bypass", "defaultValue": "false"}, {"name": "bypass"}])
        optional = {
            "executionMode": st.sampled_from(["QUEUED", "SUPERSEDED"]),
            "variables": st.lists(
                st.just({"name": "region", "defaultValue": "eu"}) | bypass,
                unique_by=lambda variable: variable["name"],
                min_size=1,
            ),
            "triggers": st.just(
                [
                    {
                        "providerType": "CodeStarSourceConnection",
                        "gitConfiguration": {"sourceActionName": "Source"},
                    }
                ]
            ),
        }
        made |= draw(st.fixed_dictionaries({}, optional=optional))
    check_as_aws_does(made)
    return made


def check_as_aws_does(declared: Declaration) -> None:
    codepipeline.check_pipeline(declared)
    limits.check_request("UpdatePipeline", {"pipeline": declared})


often = run_settings(max_examples=60, deadline=None)
some_settings = st.fixed_dictionaries(
    {"depends_on": st.just(["infra"])},
    optional={"hold": st.sampled_from(["retry", "wait"]), "bypass": st.just(BYPASS)},
)
after_any = st.none() | st.sampled_from(["Source", *NAMES])


@often
@given(structures(), some_settings, after_any)
def test_detach_reverses_attach(
    declared: Declaration, settings: dict[str, Any], after: str | None
) -> None:
    assume(not find_gates(declared))
    try:
        attached = add_gate(declared, GATE, format_parameters("k8s", settings), after)
    except Impossible:
        return
    back = remove_gates(attached)
    if "bypass" in settings:
        back, declared = ungated(back), ungated(declared)
    assert back == declared


@often
@given(structures(), st.integers(min_value=0))
def test_detach_reverses_a_further_gate(declared: Declaration, place: int) -> None:
    """Whatever gates there are elsewhere."""
    after = names(declared)[place % len(names(declared))]
    assume(not find_gates_after(declared, after))
    try:
        attached = add_gate(declared, GATE, TEXT, after)
        assert remove_gates(attached, after) == declared
    except Impossible:
        assume(False)


@often
@given(structures(), some_settings, after_any, st.none() | st.sampled_from(NAMES))
def test_attach_changes_only_one_gate_or_refuses(
    declared: Declaration, settings: dict[str, Any], after: str | None, move: str | None
) -> None:
    text, before = format_parameters("k8s", settings), copy.deepcopy(declared)
    move = move if after else None
    try:
        attached = add_gate(declared, GATE, text, after, move)
    except Impossible:
        return
    finally:
        assert declared == before
    check_as_aws_does(attached)
    assert ungated(attached) == ungated(declared)
    gates, gates_before = find_gates(attached), find_gates(declared)
    changed = [gate_ for gate_ in gates if gate_ not in gates_before]
    assert len(changed) <= 1
    assert len(gates) - len(gates_before) in (0, 0 if move or (gates_before and not after) else 1)
    if after:
        changed = list(find_gates_after(attached, after))
    for gate_ in changed:
        marked = {"condition": True} if gate_.condition else {}
        assert json.loads(gate_.text) == json.loads(text) | marked
    assert add_gate(attached, GATE, text, after, move) == attached


@often
@given(structures())
def test_detach_removes_only_the_gates_or_refuses(declared: Declaration) -> None:
    before = copy.deepcopy(declared)
    try:
        detached = remove_gates(declared)
    except Impossible:
        return
    finally:
        assert declared == before
    check_as_aws_does(detached)
    assert find_gates(detached) == ()
    assert ungated(detached) == ungated(declared)
    assert detached.get("variables") == declared.get("variables")
    if not find_gates(declared):
        assert detached == declared


HOLD = stage("Hold", gate(namespace="hold"))
BUILD, DEPLOY = stage("Build"), stage("Deploy")


class TestANewGate:
    @pytest.mark.parametrize(
        ("after", "stages"),
        [
            (None, ["Source", "Gate", "Build", "Deploy"]),
            ("Build", ["Source", "Build", "Gate", "Deploy"]),
        ],
    )
    def test_comes_after_the_sources_or_the_stage_that_is_named(
        self, after: str | None, stages: list[str]
    ) -> None:
        assert names(add_gate(pipeline(BUILD, DEPLOY), GATE, TEXT, after)) == stages

    def test_gets_a_number_if_its_name_is_taken(self) -> None:
        taken = stage("Gate", action("Build", namespace="gate"))
        attached = add_gate(pipeline(taken, DEPLOY), GATE, TEXT)
        assert names(attached) == ["Source", "Gate-2", "Gate", "Deploy"]
        assert attached["stages"][1]["actions"][0]["namespace"] == "gate-2"

    def test_is_refused_if_there_are_50_stages(self) -> None:
        stages = [stage(f"S{number}") for number in range(49)]
        assert len(add_gate(pipeline(*stages[:48]), GATE, TEXT)["stages"]) == 50
        with pytest.raises(Impossible, match="k8s has 50 stages, and CodePipeline allows 50"):
            add_gate(pipeline(*stages), GATE, TEXT)


class TestAnExistingGate:
    def test_keeps_its_names_and_place(self) -> None:
        keeps = {"namespace": "hold", "roleArn": PIPELINE_ROLE}
        before = pipeline(stage("Hold", gate("WaitForInfra", "infra", **keeps)), DEPLOY)
        after = pipeline(stage("Hold", gate("WaitForInfra", TEXT, **keeps)), DEPLOY)
        assert add_gate(before, GATE, TEXT) == after

    def test_equal_json_is_not_rewritten(self) -> None:
        spread = json.dumps(dict(reversed(json.loads(TEXT).items())), indent=1)
        before = pipeline(stage("Gate", gate(text=spread)), DEPLOY)
        assert add_gate(before, GATE, TEXT) == before

    def test_a_gate_in_a_condition_keeps_its_place(self) -> None:
        before = pipeline(stage("Deploy", beforeEntry=entry(rule("Alarm", "ours"), rule("Wait"))))
        text = format_parameters("k8s", {"depends_on": ["network"]})
        changed = add_gate(before, GATE, text)
        rules = changed["stages"][1]["beforeEntry"]["conditions"][0]["rules"]
        theirs, ours = (json.loads(rule["configuration"]["UserParameters"]) for rule in rules)
        assert theirs["depends_on"] == ["infra"]
        assert ours == {**json.loads(text), "condition": True}
        assert names(changed) == ["Source", "Deploy"]

    def test_a_condition_without_the_key_gets_it(self) -> None:
        before, after = (
            pipeline(stage("Deploy", beforeEntry=entry(rule("Wait", text=text))))
            for text in (TEXT, CONDITION_TEXT)
        )
        assert add_gate(before, GATE, TEXT) == after
        assert add_gate(after, GATE, TEXT) == after

    def test_a_condition_cannot_get_the_mode_wait(self) -> None:
        before = pipeline(stage("Deploy", beforeEntry=entry(rule("Wait"))))
        text = format_parameters("k8s", {"depends_on": ["infra"], "hold": "wait"})
        with pytest.raises(Impossible, match="A stage condition cannot stay in progress"):
            add_gate(before, GATE, text)

    def test_its_stage_moves_unchanged(self) -> None:
        hold = {**HOLD, "onFailure": {"result": "FAIL"}}
        before = pipeline(hold, BUILD, DEPLOY)
        moved = add_gate(before, GATE, TEXT, "Build", move="Hold")
        assert names(moved) == ["Source", "Build", "Hold", "Deploy"]
        assert moved["stages"][2] == hold
        assert add_gate(moved, GATE, TEXT, "Source", move="Hold") == before


APPROVE = stage("Approve")
NETWORK = format_parameters("k8s", {"depends_on": ["network"]})


class TestSeveralGates:
    """`--after` names the place of the one that is added, changed or removed."""

    TWO = pipeline(HOLD, APPROVE, stage("Again", gate(text=NETWORK)), DEPLOY)

    def test_a_second_one_is_added_where_there_is_none(self) -> None:
        attached = add_gate(pipeline(HOLD, APPROVE, DEPLOY), GATE, TEXT, "Approve")
        assert names(attached) == ["Source", "Hold", "Approve", "Gate", "Deploy"]
        assert attached["stages"][1] == HOLD
        assert add_gate(attached, GATE, TEXT, "Approve") == attached

    def test_one_after_the_other(self) -> None:
        attached = add_gate(pipeline(HOLD, DEPLOY), GATE, NETWORK, "Hold")
        assert names(attached) == ["Source", "Hold", "Gate", "Deploy"]

    @pytest.mark.parametrize(("after", "number"), [("Source", 1), ("Approve", 3)])
    def test_the_one_at_the_place_is_changed(self, after: str, number: int) -> None:
        text = format_parameters("k8s", {"depends_on": ["dns"]})
        changed = add_gate(self.TWO, GATE, text, after)
        assert [gate_.text == text for gate_ in find_gates(changed)] == [number == 1, number == 3]
        changed["stages"][number] = self.TWO["stages"][number]
        assert changed == self.TWO

    def test_a_gate_that_something_precedes_in_its_stage_is_not_there(self) -> None:
        behind = stage("Deploy", action("Ask"), gate(runOrder=2), action("Deploy", runOrder=3))
        attached = add_gate(pipeline(behind), GATE, NETWORK, "Source")
        assert names(attached) == ["Source", "Gate", "Deploy"]
        assert attached["stages"][2] == behind

    def test_one_is_moved(self) -> None:
        moved = add_gate(self.TWO, GATE, NETWORK, "Deploy", move="Again")
        assert names(moved) == ["Source", "Hold", "Approve", "Deploy", "Again"]

    def test_one_is_removed(self) -> None:
        detached = remove_gates(self.TWO, "Approve")
        assert detached == pipeline(HOLD, APPROVE, DEPLOY)
        assert remove_gates(detached, "Approve") == detached
        with pytest.raises(Impossible, match="k8s has no stage Aprove; it has Source"):
            remove_gates(self.TWO, "Aprove")


def note(text: str) -> dict[str, Any]:
    return {**action("Build"), "configuration": {"Note": text}}


CONDITIONS = ("beforeEntry", "onSuccess", "onFailure")
WINDOW = rule("Window", "ours")


@pytest.mark.parametrize(
    ("before", "after", "move", "text"),
    [
        (pipeline(), "Sourc", None, "k8s has no stage Sourc; it has Source and Deploy"),
        (pipeline(), "Source", "Gate", "k8s has no stage Gate; it has Source and Deploy"),
        (pipeline(), "Source", "Deploy", "The stage Deploy of k8s has no gate to move."),
        (
            pipeline(stage("Build", gate(), action("Build")), DEPLOY),
            "Deploy",
            "Build",
            "is not alone in its stage Build",
        ),
        (pipeline(HOLD, DEPLOY), "Hold", "Hold", "Hold is the gate's own stage"),
        (
            pipeline(HOLD, stage("Again", gate()), DEPLOY),
            "Source",
            "Again",
            "k8s already has a gate after Source, in the stage Hold",
        ),
        (
            pipeline(HOLD, stage("Build", note("#{hold.Decision}")), DEPLOY),
            "Build",
            "Hold",
            r"The stage Build of k8s uses #\{hold.Decision\}, but the gate that sets it would move",
        ),
        *(
            (
                pipeline({**HOLD, condition: entry(rule("Window", "ours"))}, BUILD, DEPLOY),
                "Build",
                "Hold",
                rf"would move after Build with its condition {condition} \(Window\)",
            )
            for condition in CONDITIONS
        ),
        (
            pipeline(stage("Gate", gate()), stage("Deploy", beforeEntry=entry(rule("Again")))),
            None,
            None,
            r"k8s has several gates \(Gate/Wait and Deploy/Again\). To say which one, add --after "
            "and the stage before it: Source or Gate.",
        ),
        (
            pipeline(stage("Gate", gate(), gate("Again")), DEPLOY),
            "Source",
            None,
            r"k8s has several gates after Source \(Gate/Wait and Gate/Again\), so --after does not",
        ),
    ],
)
def test_what_attach_refuses(
    before: Declaration, after: str | None, move: str | None, text: str
) -> None:
    with pytest.raises(Impossible, match=text):
        add_gate(before, GATE, TEXT, after, move)


@pytest.mark.parametrize(
    "before",
    [
        pipeline(stage("Build", gate(), action("Build")), DEPLOY),
        *(
            pipeline({**HOLD, condition: entry(rule("Window", "ours"))}, BUILD, DEPLOY)
            for condition in CONDITIONS
        ),
    ],
)
def test_a_gate_that_is_already_there_does_not_move(before: Declaration) -> None:
    assert add_gate(before, GATE, TEXT, "Source") == before


class TestDetach:
    @pytest.mark.parametrize(
        ("before", "after"),
        [
            (
                pipeline(
                    stage("Build", beforeEntry=entry(rule("Wait"))),
                    stage("Deploy", beforeEntry=entry(rule("Wait"), rule("Alarm", "ours"))),
                ),
                pipeline(BUILD, stage("Deploy", beforeEntry=entry(rule("Alarm", "ours")))),
            ),
            (pipeline(stage("Build", gate(), action("Build"))), pipeline(BUILD)),
            (
                pipeline(
                    {
                        **HOLD,
                        "beforeEntry": entry(rule("Wait")),
                        "onFailure": {"result": "ROLLBACK"},
                    },
                    DEPLOY,
                ),
                pipeline(DEPLOY),
            ),
        ],
        ids=["condition", "action", "stage"],
    )
    def test_only_the_gate_is_removed(self, before: Declaration, after: Declaration) -> None:
        assert remove_gates(before) == after

    @pytest.mark.parametrize(
        ("before", "text"),
        [
            (pipeline(HOLD), "Without its gate, k8s would have one stage"),
            *(
                (
                    pipeline({**HOLD, condition: entry(*rules)}, DEPLOY),
                    "The stage Hold of k8s would be removed with its condition "
                    rf"{condition} \({listed}\). Move the condition",
                )
                for condition, rules, listed in (
                    ("beforeEntry", [rule("Wait"), WINDOW], "Window"),
                    ("onSuccess", [WINDOW, rule("Alarm", "ours")], "Window and Alarm"),
                    ("onFailure", [rule("Alarm", "ours")], "Alarm"),
                )
            ),
            *(
                (
                    pipeline(HOLD, uses),
                    r"The stage Deploy of k8s uses #\{hold\.\w+\}, but the gate that sets it would",
                )
                for uses in (
                    stage("Deploy", note("after #{hold.UpstreamExecutionIds}")),
                    stage("Deploy", beforeEntry=entry({**rule("Check"), **note("#{hold.A}")})),
                )
            ),
        ],
    )
    def test_what_it_refuses(self, before: Declaration, text: str) -> None:
        with pytest.raises(Impossible, match=text):
            remove_gates(before)


class TestBypass:
    TEXT = format_parameters("k8s", {"depends_on": ["infra"], "bypass": BYPASS})

    def test_declares_its_variable_after_the_others(self) -> None:
        region = {"name": "region", "defaultValue": "eu"}
        first, second = add_gate(pipeline(variables=[region]), GATE, self.TEXT)["variables"]
        assert first == region
        assert (second["name"], second["defaultValue"]) == ("bypass", "false")

    def test_accepts_a_variable_that_is_already_declared(self) -> None:
        variables = [{"name": "bypass", "defaultValue": "true"}]
        assert add_gate(pipeline(variables=variables), GATE, self.TEXT)["variables"] == variables

    @pytest.mark.parametrize(
        ("variables", "text"),
        [
            ([{"name": "bypass", "defaultValue": "no"}], "already has a variable bypass"),
            ([{"name": "bypass"}], "k8s already has a variable bypass, but its default is not"),
            (
                [{"name": f"v{number}", "defaultValue": "1"} for number in range(50)],
                "k8s has 50 variables, and CodePipeline allows 50. Omit --bypass",
            ),
        ],
    )
    def test_what_it_refuses(self, variables: list[dict[str, str]], text: str) -> None:
        with pytest.raises(Impossible, match=text):
            add_gate(pipeline(variables=variables), GATE, self.TEXT)

    def test_it_needs_a_v2_pipeline(self) -> None:
        with pytest.raises(Impossible, match="k8s is a V1 pipeline, and only V2 has variables"):
            add_gate(pipeline(pipelineType="V1"), GATE, self.TEXT)


class TestParameters:
    def test_name_pipeline_and_execution(self) -> None:
        assert (
            TEXT == '{"depends_on": ["infra"], "pipeline": "k8s", "execution": '
            '"#{codepipeline.PipelineExecutionId}"}'
        )

    def test_may_have_1000_characters(self) -> None:
        def text(length: int) -> str:
            names = [*(letter * 100 for letter in "abcdefgh"), "i" * length]
            return format_parameters("k8s", {"depends_on": names})

        room = 1000 - len(text(1)) + 1
        assert len(text(room)) == 1000
        with pytest.raises(Impossible, match="UserParameters would have 1001 characters"):
            text(room + 1)

    def test_are_refused_in_the_words_of_the_gate(self) -> None:
        with pytest.raises(Impossible, match="k8s depends on itself"):
            format_parameters("k8s", {"depends_on": ["k8s"]})
