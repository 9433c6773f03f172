"""A pipeline's structure with a gate and without: whatever it looks like, the rest of it stays as
it is, or nothing is done.
"""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from chalicelib.account.gates import find_gates
from gatectl.structure import BYPASS, Declaration, Impossible, parameters, with_gate, without_gates
from sandbox.account import PIPELINE_ROLE
from sandbox.codepipeline import limits
from sandbox.codepipeline import structure as codepipeline
from tests.support.structures import GATE, TEXT, Stage, action, entry, gate, pipeline, rule, stage


def names(declared: Declaration) -> list[str]:
    return [one["name"] for one in declared["stages"]]


def rest(declared: Declaration) -> Declaration:
    """All but the gates, the stages and conditions that are nothing else, and the variable of
    `bypass`.
    """

    def others(declarations: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [one for one in declarations if one["configuration"].get("FunctionName") != GATE]

    left = copy.deepcopy(declared)
    for one in left["stages"]:
        one["actions"] = others(one["actions"])
        if "beforeEntry" in one:
            rules = others(one["beforeEntry"]["conditions"][0]["rules"])
            one["beforeEntry"]["conditions"][0]["rules"] = rules
            if not rules:
                del one["beforeEntry"]
    left["stages"] = [one for one in left["stages"] if one["actions"]]
    left["variables"] = [
        variable for variable in left.get("variables", []) if variable["name"] != "bypass"
    ]
    return left


# What CodePipeline might have, with no gate, one or several, anywhere.

NAMES = ["Gate", "Gate-2", "Build", "Deploy", "Wait"]
NAMESPACES = ["gate", "gate-2", "build"]


@st.composite
def an_action(draw: st.DrawFn, name: str) -> dict[str, Any]:
    more = draw(
        st.fixed_dictionaries(
            {}, optional={"runOrder": st.integers(1, 3), "roleArn": st.just(PIPELINE_ROLE)}
        )
    )
    made: dict[str, Any] = draw(st.sampled_from([*[action] * 5, gate]))(name, **more)
    return made


@st.composite
def a_stage(draw: st.DrawFn, name: str, *, v2: bool) -> Stage:
    inside = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True))
    made = stage(name, *(draw(an_action(one)) for one in inside))
    if v2:
        rules = st.lists(st.sampled_from(["Wait", "Alarm"]), min_size=1, unique=True)
        function = st.sampled_from(["ours", "ours", "ours", GATE])
        optional = {
            "beforeEntry": rules.map(
                lambda chosen: entry(*(rule(one, draw(function)) for one in chosen))
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
    inside = [one for each in made["stages"] for one in each["actions"]]
    for one, namespace in zip(
        draw(st.permutations(inside)),
        draw(st.lists(st.sampled_from(NAMESPACES), unique=True)),
        strict=False,
    ):
        one["namespace"] = namespace
        if draw(st.booleans()):
            draw(st.sampled_from(inside))["configuration"]["Note"] = f"#{{{namespace}.Decision}}"
    if v2:
        bypass = st.sampled_from([{"name": "bypass", "defaultValue": "false"}, {"name": "bypass"}])
        optional = {
            "executionMode": st.sampled_from(["QUEUED", "SUPERSEDED"]),
            "variables": st.lists(
                st.just({"name": "region", "defaultValue": "eu"}) | bypass,
                unique_by=lambda one: one["name"],
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
    taken_by_aws(made)
    return made


def taken_by_aws(declared: Declaration) -> None:
    codepipeline.check_pipeline(declared)
    limits.check_request("UpdatePipeline", {"pipeline": declared})


often = settings(max_examples=60, deadline=None)
asked = st.fixed_dictionaries(
    {"depends_on": st.just(["infra"])},
    optional={"hold": st.sampled_from(["retry", "wait"]), "bypass": st.just(BYPASS)},
)
after_any = st.none() | st.sampled_from(["Source", *NAMES])


@often
@given(structures(), asked, after_any)
def test_attach_then_detach_gives_back_what_was_there(
    declared: Declaration, asked: dict[str, Any], after: str | None
) -> None:
    assume(not find_gates(declared))
    try:
        attached = with_gate(declared, GATE, parameters("k8s", asked), after)
    except Impossible:
        return
    back = without_gates(attached)
    if "bypass" in asked:
        back, declared = rest(back), rest(declared)
    assert back == declared


@often
@given(structures(), asked, after_any)
def test_attach_changes_the_one_gate_and_keeps_all_else_or_refuses(
    declared: Declaration, asked: dict[str, Any], after: str | None
) -> None:
    text, before = parameters("k8s", asked), copy.deepcopy(declared)
    try:
        attached = with_gate(declared, GATE, text, after)
    except Impossible:
        return
    finally:
        assert declared == before
    taken_by_aws(attached)
    (only,) = find_gates(attached)
    assert json.loads(only.text) == json.loads(text)
    assert rest(attached) == rest(declared)
    if after and not only.condition:
        stages = names(attached)
        assert stages.index(only.stage) == stages.index(after) + 1
    assert with_gate(attached, GATE, text, after) == attached


@often
@given(structures())
def test_detach_takes_all_gates_and_keeps_all_else_or_refuses(declared: Declaration) -> None:
    before = copy.deepcopy(declared)
    try:
        detached = without_gates(declared)
    except Impossible:
        return
    finally:
        assert declared == before
    taken_by_aws(detached)
    assert find_gates(detached) == ()
    assert rest(detached) == rest(declared)
    assert detached.get("variables") == declared.get("variables")
    if not find_gates(declared):
        assert detached == declared


class TestWhereANewGateStands:
    def test_right_after_the_sources(self) -> None:
        assert names(with_gate(pipeline(stage("Build"), stage("Deploy")), GATE, TEXT)) == [
            "Source",
            "Gate",
            "Build",
            "Deploy",
        ]

    def test_after_the_stage_that_is_named(self) -> None:
        assert names(with_gate(pipeline(stage("Build"), stage("Deploy")), GATE, TEXT, "Build")) == [
            "Source",
            "Build",
            "Gate",
            "Deploy",
        ]

    def test_names_that_are_taken_get_a_number(self) -> None:
        attached = with_gate(
            pipeline(stage("Gate", action("Build", namespace="gate")), stage("Deploy")), GATE, TEXT
        )
        assert names(attached) == ["Source", "Gate-2", "Gate", "Deploy"]
        assert attached["stages"][1]["actions"][0]["namespace"] == "gate-2"

    def test_fifty_stages_are_full(self) -> None:
        most = pipeline(*(stage(f"S{number}") for number in range(49)))
        with pytest.raises(
            Impossible,
            match="k8s has 50 stages, and CodePipeline allows 50: there is no room for the gate's",
        ):
            with_gate(most, GATE, TEXT)
        assert (
            len(
                with_gate(pipeline(*(stage(f"S{number}") for number in range(48))), GATE, TEXT)[
                    "stages"
                ]
            )
            == 50
        )

    def test_a_stage_that_is_not_there(self) -> None:
        with pytest.raises(Impossible, match="k8s has no stage Sourc; it has Source and Deploy"):
            with_gate(pipeline(), GATE, TEXT, "Sourc")


class TestAGateThatIsThere:
    def test_keeps_its_names_and_place(self) -> None:
        here = pipeline(
            stage("Hold", gate("WaitForInfra", "infra", namespace="who", roleArn=PIPELINE_ROLE)),
            stage("Deploy"),
        )
        changed = with_gate(here, GATE, TEXT)
        assert changed["stages"][1] == stage(
            "Hold", gate("WaitForInfra", TEXT, namespace="who", roleArn=PIPELINE_ROLE)
        )

    def test_json_that_says_the_same_stays_as_it_is_written(self) -> None:
        spread = json.dumps(dict(reversed(json.loads(TEXT).items())), indent=1)
        here = pipeline(stage("Gate", gate(text=spread)), stage("Deploy"))
        assert with_gate(here, GATE, TEXT) == here

    def test_a_condition_is_changed_where_it_stands(self) -> None:
        here = pipeline(stage("Deploy", beforeEntry=entry(rule("Alarm", "ours"), rule("Wait"))))
        text = parameters("k8s", {"depends_on": ["network"]})
        changed = with_gate(here, GATE, text)
        rules = changed["stages"][1]["beforeEntry"]["conditions"][0]["rules"]
        assert [one["configuration"]["UserParameters"] for one in rules] == [TEXT, text]
        assert names(changed) == ["Source", "Deploy"]

    def test_its_stage_moves_as_it_is(self) -> None:
        own = stage("Hold", gate(namespace="who"), onFailure={"result": "FAIL"})
        here = pipeline(own, stage("Build"), stage("Deploy"))
        moved = with_gate(here, GATE, TEXT, "Build")
        assert names(moved) == ["Source", "Build", "Hold", "Deploy"]
        assert moved["stages"][2] == own
        assert with_gate(moved, GATE, TEXT, "Source") == here

    def test_one_among_others_does_not_move(self) -> None:
        here = pipeline(stage("Build", gate(), action("Build")), stage("Deploy"))
        with pytest.raises(
            Impossible,
            match=r"stands in the stage Build among others, .* after Deploy: detach it first",
        ):
            with_gate(here, GATE, TEXT, "Deploy")
        assert with_gate(here, GATE, TEXT, "Source") == here

    def test_it_does_not_come_after_itself(self) -> None:
        with pytest.raises(Impossible, match="Gate is the gate's own stage"):
            with_gate(pipeline(stage("Gate", gate()), stage("Deploy")), GATE, TEXT, "Gate")

    def test_nor_after_a_stage_that_uses_what_it_says(self) -> None:
        uses = stage("Build", {**action("Build"), "configuration": {"Note": "#{who.Decision}"}})
        with pytest.raises(
            Impossible,
            match=r"The stage Build of k8s uses #\{who.Decision\}, which the gate sets that would "
            r"come only after",
        ):
            with_gate(
                pipeline(stage("Gate", gate(namespace="who")), uses, stage("Deploy")),
                GATE,
                TEXT,
                "Build",
            )

    @pytest.mark.parametrize("at", ["beforeEntry", "onSuccess", "onFailure"])
    def test_nor_with_somebodys_condition_at_its_stage(self, at: str) -> None:
        here = pipeline(
            stage("Hold", gate(), **{at: entry(rule("Window", "ours"))}),
            stage("Build"),
            stage("Deploy"),
        )
        with pytest.raises(
            Impossible,
            match=rf"stage Hold of k8s would come after Build with its condition {at} \(Window\): "
            r"move that to another stage first",
        ):
            with_gate(here, GATE, TEXT, "Build")
        assert with_gate(here, GATE, TEXT, "Source") == here

    def test_of_several_none_is_chosen(self) -> None:
        here = pipeline(stage("Gate", gate()), stage("Deploy", beforeEntry=entry(rule("Again"))))
        with pytest.raises(
            Impossible,
            match=r"k8s has several gates \(Gate/Wait and Deploy/Again\), .* change them by hand",
        ):
            with_gate(here, GATE, TEXT)


class TestDetach:
    def test_a_condition_goes_but_not_its_neighbours(self) -> None:
        here = pipeline(
            stage("Build", beforeEntry=entry(rule("Wait"))),
            stage("Deploy", beforeEntry=entry(rule("Wait"), rule("Alarm", "ours"))),
        )
        assert without_gates(here) == pipeline(
            stage("Build"), stage("Deploy", beforeEntry=entry(rule("Alarm", "ours")))
        )

    def test_an_action_goes_but_not_its_neighbours(self) -> None:
        assert without_gates(pipeline(stage("Build", gate(), action("Build")))) == pipeline(
            stage("Build", action("Build"))
        )

    def test_one_stage_is_too_few(self) -> None:
        with pytest.raises(
            Impossible,
            match="Without its gate k8s would have one stage, and CodePipeline wants two",
        ):
            without_gates(pipeline(stage("Gate", gate())))

    @pytest.mark.parametrize("at", ["beforeEntry", "onSuccess", "onFailure"])
    def test_a_stage_with_somebodys_condition_does_not_go(self, at: str) -> None:
        rules = (
            [rule("Wait"), rule("Window", "ours")]
            if at == "beforeEntry"
            else [rule("Window", "ours"), rule("Alarm", "ours")]
        )
        named = "Window" if at == "beforeEntry" else "Window and Alarm"
        with pytest.raises(
            Impossible,
            match=r"the stage Hold of k8s has nothing to do, and would go with its condition "
            rf"{at} \({named}\): move that",
        ):
            without_gates(pipeline(stage("Hold", gate(), **{at: entry(*rules)}), stage("Deploy")))

    def test_what_its_stage_does_at_a_failure_goes_with_it(self) -> None:
        own = stage(
            "Hold", gate(), beforeEntry=entry(rule("Wait")), onFailure={"result": "ROLLBACK"}
        )
        assert without_gates(pipeline(own, stage("Deploy"))) == pipeline(stage("Deploy"))

    @pytest.mark.parametrize("key", ["configuration", "beforeEntry"])
    def test_what_the_rest_uses_does_not_go(self, key: str) -> None:
        uses = stage("Deploy")
        if key == "configuration":
            uses["actions"][0]["configuration"]["Note"] = "after #{who.UpstreamExecutionIds}"
        else:
            uses["beforeEntry"] = entry(
                {**rule("Check", "ours"), "configuration": {"Variable": "#{who.Decision}"}}
            )
        with pytest.raises(
            Impossible,
            match=r"The stage Deploy of k8s uses #\{who\.\w+\}, which the gate sets that goes: "
            r"take that out first",
        ):
            without_gates(pipeline(stage("Gate", gate(namespace="who")), uses))


class TestBypass:
    ASKED = parameters("k8s", {"depends_on": ["infra"], "bypass": BYPASS})

    def test_declares_its_variable_beside_the_others(self) -> None:
        others = [{"name": "region", "defaultValue": "eu"}]
        variables = with_gate(pipeline(variables=others), GATE, self.ASKED)["variables"]
        assert variables[0] == others[0]
        assert (variables[1]["name"], variables[1]["defaultValue"]) == ("bypass", "false")

    def test_takes_one_that_is_there(self) -> None:
        own = [{"name": "bypass", "defaultValue": "true"}]
        assert with_gate(pipeline(variables=own), GATE, self.ASKED)["variables"] == own

    @pytest.mark.parametrize("default", ["no", None])
    def test_but_not_one_that_the_gate_would_refuse(self, default: str | None) -> None:
        own = {"name": "bypass", **({"defaultValue": default} if default else {})}
        with pytest.raises(
            Impossible, match="k8s has a variable bypass already, whose default is not"
        ):
            with_gate(pipeline(variables=[own]), GATE, self.ASKED)

    def test_v1_has_no_variables(self) -> None:
        with pytest.raises(Impossible, match="k8s is a V1 pipeline, and only V2 has variables"):
            with_gate(pipeline(pipelineType="V1"), GATE, self.ASKED)

    def test_fifty_variables_are_full(self) -> None:
        most = [{"name": f"v{number}", "defaultValue": "1"} for number in range(50)]
        with pytest.raises(
            Impossible, match="k8s has 50 variables, and CodePipeline allows 50: leave --bypass out"
        ):
            with_gate(pipeline(variables=most), GATE, self.ASKED)


class TestParameters:
    def test_say_whose_they_are(self) -> None:
        assert (
            TEXT == '{"depends_on": ["infra"], "pipeline": "k8s", "execution": '
            '"#{codepipeline.PipelineExecutionId}"}'
        )

    def test_a_thousand_characters_are_full(self) -> None:
        def text(length: int) -> str:
            return parameters(
                "k8s", {"depends_on": [*(letter * 100 for letter in "abcdefgh"), "i" * length]}
            )

        room = 1000 - len(text(1)) + 1
        assert len(text(room)) == 1000
        with pytest.raises(
            Impossible,
            match="UserParameters would have 1001 characters, and CodePipeline takes 1000",
        ):
            text(room + 1)

    def test_what_the_gate_would_refuse_is_refused_in_its_words(self) -> None:
        with pytest.raises(Impossible, match="k8s depends on itself"):
            parameters("k8s", {"depends_on": ["k8s"]})
