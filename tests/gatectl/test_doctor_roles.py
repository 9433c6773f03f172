"""What `gatectl doctor` says of what roles may do."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from chalicelib.account.gates import Gate, parse_declared_parameters
from chalicelib.account.pipeline import Pipeline
from gatectl.findings import function_roles, iam, pipeline_roles
from gatectl.findings.facts import Answer, Facts, Function, Question, Refusal
from gatectl.findings.looks import Looks
from gatectl.functions import Deployed
from sandbox.account import ACCOUNT, REGION
from sandbox.inprocess import MONDAY_NOON
from tests.support.ask import ask
from tests.support.cli import run
from tests.support.deployment import deploy, findings, mend, paste, the_finding
from tests.support.scene import GATE, Scene
from tests.support.somebody import role_may

ROLE = f"arn:aws:iam::{ACCOUNT}:role/pipelines"
RETRY = "pipeline-gate-dev-retry"
INVOKE = {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": "*"}


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def statements_of(role: str) -> list[dict[str, Any]]:
    document: Any = boto3.client("iam").get_role_policy(RoleName=role, PolicyName=role)[
        "PolicyDocument"
    ]
    statements: list[dict[str, Any]] = document["Statement"]
    return statements


@pytest.fixture
def gated(sound: Scene) -> Scene:
    sound.pipeline("infra")
    sound.k8s()
    assert findings() == []
    return sound


# The pipeline's role


def test_a_pipeline_whose_role_may_not_invoke_the_gate(gated: Scene) -> None:
    role_may("pipelines")
    gated.start("k8s")
    assert gated.gate_action()["errorDetails"]["code"] == "PermissionError"
    found = the_finding("pipeline-role")
    assert found["what"] == f"This role, which k8s has, may not invoke {GATE}."
    assert (found["severity"], found["mendable"]) == ("error", True)
    said = mend()
    assert f'"Resource": "arn:aws:lambda:eu-central-1:{ACCOUNT}:function:{GATE}"' in said.words
    assert said.status == 0
    gated.start("k8s")
    gated.wait(minutes=2)
    assert gated.statuses()[0] == "Succeeded"


def test_by_the_command_that_is_shown(gated: Scene) -> None:
    role_may("pipelines")
    paste(the_finding("pipeline-role"))
    assert findings() == []


def test_what_else_the_role_may_do_stays(gated: Scene) -> None:
    role_may("pipelines", {"Effect": "Allow", "Action": "s3:*", "Resource": "*"})
    mend()
    assert boto3.client("iam").list_role_policies(RoleName="pipelines")["PolicyNames"] == [
        "all",
        f"invoke-{GATE}",
    ]


def name_the_gate(scene: Scene, pipeline: str, function: str) -> None:
    declared: Any = scene.codepipeline.get_pipeline(name=pipeline)["pipeline"]
    declared["stages"][1]["actions"][0]["configuration"]["FunctionName"] = function
    scene.codepipeline.update_pipeline(pipeline=declared)


def goes_past_its_gate(scene: Scene, pipeline: str) -> bool:
    scene.start(pipeline)
    return bool(scene.gate_action(pipeline)["status"] == "Succeeded")


def test_of_two_names_of_the_function_both_are_let(gated: Scene) -> None:
    gated.gated("apps", {**ask("infra"), "pipeline": "apps"})
    name_the_gate(gated, "apps", f"{GATE}:prod")
    role_may("pipelines")
    found = the_finding("pipeline-role")
    assert (
        found["what"]
        == f"This role, which apps and k8s have, may not invoke {GATE} and {GATE}:prod."
    )
    said = mend()
    assert said.status == 0, said.out
    assert f'"arn:aws:lambda:eu-central-1:{ACCOUNT}:function:{GATE}:prod"' in said.words
    assert goes_past_its_gate(gated, "k8s")


def test_a_second_name_of_the_function_takes_nothing_from_the_first(gated: Scene) -> None:
    role_may("pipelines")
    mend()
    gated.gated("apps", {**ask("infra"), "pipeline": "apps"})
    name_the_gate(gated, "apps", f"{GATE}:prod")
    found = the_finding("pipeline-role")
    assert (
        found["how"]
        == f"Let it invoke the function: its policy invoke-{GATE} keeps what it says, and allows "
        "this, too."
    )
    mend()
    assert findings() == []
    assert goes_past_its_gate(gated, "k8s")


def test_a_policy_of_that_name_keeps_what_else_it_says(gated: Scene) -> None:
    role_may("pipelines")
    theirs = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": theirs})
    boto3.client("iam").put_role_policy(
        RoleName="pipelines", PolicyName=f"invoke-{GATE}", PolicyDocument=document
    )
    mend()
    assert findings() == []
    kept: Any = boto3.client("iam").get_role_policy(
        RoleName="pipelines", PolicyName=f"invoke-{GATE}"
    )["PolicyDocument"]
    assert theirs in kept["Statement"]


def test_where_that_policy_may_not_be_seen_it_is_not_written(
    gated: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    role_may("pipelines")
    monkeypatch.setattr("gatectl.findings.iam.policy", lambda *_: None)
    found = the_finding("pipeline-role")
    assert not found["mendable"]
    assert found["how"].startswith(
        "Allow it lambda:InvokeFunction on "
        f"arn:aws:lambda:eu-central-1:{ACCOUNT}:function:{GATE}: whether it has"
    )


def test_yes_in_advance_is_no_yes_to_changing_a_role(gated: Scene) -> None:
    role_may("pipelines")
    said = run("doctor", "--mend", "--yes")
    assert said.status == 1
    assert boto3.client("iam").list_role_policies(RoleName="pipelines")["PolicyNames"] == []


def test_many_pipelines_with_one_role_are_one_finding(gated: Scene) -> None:
    gated.gated("apps", {**ask("infra"), "pipeline": "apps"})
    role_may("pipelines")
    assert (
        the_finding("pipeline-role")["what"]
        == f"This role, which apps and k8s have, may not invoke {GATE}."
    )


def test_the_actions_own_role_takes_the_place_of_the_pipelines(gated: Scene) -> None:
    trust = policy(
        {
            "Effect": "Allow",
            "Principal": {"Service": "codepipeline.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    )
    boto3.client("iam").create_role(
        RoleName="only-wait", Path="/teams/", AssumeRolePolicyDocument=trust
    )
    declared: Any = gated.codepipeline.get_pipeline(name="k8s")["pipeline"]
    declared["stages"][1]["actions"][0]["roleArn"] = f"arn:aws:iam::{ACCOUNT}:role/teams/only-wait"
    gated.codepipeline.update_pipeline(pipeline=declared)
    assert the_finding("pipeline-role")["where"] == "role only-wait"
    mend()
    assert findings() == []
    role_may("pipelines")
    assert findings() == []
    gated.start("k8s")
    assert gated.gate_action()["status"] == "Succeeded"


def test_what_more_than_a_missing_statement_forbids_is_left_to_people(gated: Scene) -> None:
    role_may("pipelines", INVOKE, {**INVOKE, "Effect": "Deny"})
    found = the_finding("pipeline-role")
    assert found["what"].endswith(f"may not invoke {GATE}: an explicit deny forbids it.")
    assert not found["mendable"]
    boundary = boto3.client("iam").create_policy(
        PolicyName="narrow", PolicyDocument=policy({**INVOKE, "Action": "s3:*"})
    )["Policy"]["Arn"]
    role_may("pipelines", INVOKE)
    boto3.client("iam").put_role_permissions_boundary(
        RoleName="pipelines", PermissionsBoundary=boundary
    )
    assert the_finding("pipeline-role")["what"].endswith("its permissions boundary forbids it.")


def test_what_depends_on_a_real_call_is_not_called_wrong(gated: Scene) -> None:
    role_may("pipelines", {**INVOKE, "Condition": {"StringEquals": {"aws:SourceVpc": "vpc-1"}}})
    found = the_finding("role-depends")
    assert found["severity"] == "note"
    assert "depends on aws:sourcevpc" in found["what"]
    role_may(
        "pipelines",
        {
            **INVOKE,
            "Action": "iam:PassRole",
            "Condition": {"StringEquals": {"iam:PassedToService": "x"}},
        },
    )
    the_finding("pipeline-role")


def test_the_functions_own_policy_may_let_the_role_in(gated: Scene) -> None:
    role_may("pipelines")
    gated.awslambda.add_permission(
        FunctionName=GATE, StatementId="k8s", Action="lambda:InvokeFunction", Principal=ROLE
    )
    assert findings() == []
    gated.start("k8s")
    assert gated.gate_action()["status"] == "Succeeded"
    role_may("pipelines", {**INVOKE, "Effect": "Deny"})  # which outdoes every allow
    the_finding("pipeline-role")


def test_an_alias_is_asked_about_as_it_is_named(gated: Scene) -> None:
    arn = f"arn:aws:lambda:eu-central-1:{ACCOUNT}:function:{GATE}"
    declared: Any = gated.codepipeline.get_pipeline(name="k8s")["pipeline"]
    declared["stages"][1]["actions"][0]["configuration"]["FunctionName"] = f"{arn}:live"
    gated.codepipeline.update_pipeline(pipeline=declared)
    role_may("pipelines", {**INVOKE, "Resource": arn})
    the_finding("pipeline-role")
    role_may("pipelines", {**INVOKE, "Resource": f"{arn}:live"})
    assert findings() == []


# The functions' roles


@pytest.mark.parametrize(
    ("function", "sid", "action"),
    [
        (GATE, "SeeWhetherUpstreamsRun", "codepipeline:ListPipelineExecutions on infra"),
        (GATE, "AnswerJobsWhichHaveNoResourceLevel", "codepipeline:PutJobSuccessResult on *"),
        (GATE, "MakeHolds", "events:PutRule on rule/pipeline-gate-dev-"),
        (GATE, "LetHoldsInvokeNothingButTheRetry", "events:PutTargets on rule/pipeline-gate-dev-"),
        (GATE, "LetRulesInvokeTheRetry", f"lambda:AddPermission on function:{RETRY}"),
        (GATE, "Announce", "events:PutEvents on event-bus/chat"),
        (GATE, "LookInOtherAccounts", "sts:AssumeRole on role/pipeline-gate-look"),
        (GATE, "Log", "logs:PutLogEvents on log-group:/aws/lambda/pipeline-gate-dev-gate"),
        (RETRY, "LookAndStart", "codepipeline:StartPipelineExecution on apps"),
        (RETRY, "ReadAndEndHolds", "events:DeleteRule on rule/pipeline-gate-dev-"),
        (RETRY, "FindUnfinishedHoldsWhichHasNoResourceLevel", "events:ListRules on *"),
        (RETRY, "Announce", "events:PutEvents on event-bus/chat"),
        (RETRY, "LookInOtherAccounts", "sts:AssumeRole on role/pipeline-gate-look"),
    ],
)
def test_each_statement_of_the_two_policies_is_needed(
    gated: Scene, function: str, sid: str, action: str
) -> None:
    theirs = {
        "pipeline": "arn:aws:codepipeline:eu-central-1:210987654321:dns",
        "role_arn": "arn:aws:iam::210987654321:role/pipeline-gate-look",
    }
    gated.gated("apps", {**ask("infra", theirs), "pipeline": "apps"})
    gated.events.create_event_bus(Name="chat")
    for name in (GATE, RETRY):
        gated.awslambda.update_function_configuration(
            FunctionName=name, Environment={"Variables": {"EVENT_BUS": "chat"}}
        )
    assert findings() == []
    role_may(function, *(one for one in statements_of(function) if one["Sid"] != sid))
    found = the_finding("function-role")
    assert found["where"] == f"role {function} of function {function}"
    assert action in found["what"]
    assert found["severity"] == ("warning" if sid == "Log" else "error")
    assert found["commands"] == ["chalice deploy --stage dev"]


def test_a_policy_that_was_narrowed_to_the_right_pipelines_is_right(gated: Scene) -> None:
    """As the README advises: and one pipeline that was forgotten is named."""
    for function in (GATE, RETRY):
        statements = statements_of(function)
        pipelines = [
            f"arn:aws:codepipeline:eu-central-1:{ACCOUNT}:{name}"
            for name in ("infra", "k8s", "k8s/*")
        ]
        narrow = [
            {**one, "Resource": pipelines} if one["Resource"] == "arn:*:codepipeline:*:*:*" else one
            for one in statements
        ]
        role_may(function, *narrow)
    assert findings() == []
    gated.pipeline("dns")
    gated.gated("apps", {**ask("dns"), "pipeline": "apps"})
    assert ["on dns" in one["what"] and "on apps" in one["what"] for one in findings()] == [
        True,
        True,
    ]


def test_a_role_that_is_gone(gated: Scene) -> None:
    role_may(GATE)
    boto3.client("iam").delete_role(RoleName=GATE)
    found = the_finding("no-role")
    assert found["where"] == f"role {GATE} of function {GATE}"


def test_a_role_without_any_policy(gated: Scene) -> None:
    role_may(RETRY)
    assert the_finding("function-role")["what"] == "It may do nothing of what the function does."


def test_each_deployment_is_asked_about_its_own_pipelines(gated: Scene) -> None:
    deploy("prod")
    role_may("pipeline-gate-prod-gate", {"Effect": "Allow", "Action": "*", "Resource": "*"}, *[
        {"Effect": "Deny", "Action": "*", "Resource": f"arn:aws:codepipeline:eu-central-1:{ACCOUNT}:{name}"} for name in ("infra", "k8s")
    ])  # fmt: skip
    assert findings() == []


def test_a_function_whose_rights_depend_on_a_real_call(gated: Scene) -> None:
    only_from = {"Condition": {"StringEquals": {"aws:SourceVpc": "vpc-1"}}}
    role_may(
        RETRY,
        *(
            {**one, **(only_from if one["Sid"] == "ReadAndEndHolds" else {})}
            for one in statements_of(RETRY)
        ),
    )
    found = the_finding("role-depends")
    assert found["severity"] == "note"
    assert "events:DeleteRule" in found["what"]


def facts(*pipelines: Pipeline, role: str = ROLE) -> Facts:
    """Pipelines of an account in which the gate is deployed as dev."""
    gate = Function(GATE, role=role, handler="app.gate", seconds=900)
    there = {one.name: one for one in pipelines}
    deployed = (Deployed("dev", True, True),)
    return Facts(
        MONDAY_NOON,
        "aws",
        REGION,
        ACCOUNT,
        deployed=deployed,
        functions={GATE: gate},
        pipelines=there,
    )


def test_a_gate_function_of_another_account_is_not_called_missing(gated: Scene) -> None:
    theirs = f"arn:aws:lambda:eu-central-1:210987654321:function:{GATE}"
    gated.gated("apps", {**ask("infra"), "pipeline": "apps"})
    name_the_gate(gated, "apps", theirs.replace(GATE, "pipeline-gate-theirs-gate"))
    told = [one for one in findings() if one["kind"] in ("gate-elsewhere", "gate-not-deployed")]
    assert [(one["kind"], one["severity"]) for one in told] == [("gate-elsewhere", "note")]
    assert (
        told[0]["what"]
        == "apps names it as the gate, and it is in eu-central-1, account 210987654321."
    )
    said = run("check")
    assert (said.status, "It was not looked at" in said.words) == (0, True), said.out


def test_a_role_of_another_account_acts_there() -> None:
    theirs = "arn:aws:iam::210987654321:role/theirs"
    mine, other = (
        Gate("Gate", "Wait", GATE, "dev", "infra"),
        Gate("Gate", "Wait", GATE, "dev", "infra", role=theirs),
    )
    asked = pipeline_roles.questions(
        facts(
            Pipeline("k8s", gates=(mine,), role=ROLE), Pipeline("apps", gates=(other,), role=ROLE)
        )
    )
    assert [one.role for one in asked] == [ROLE]


def test_of_many_pipelines_iam_is_asked_in_few_calls() -> None:
    gate = Gate("Gate", "Wait", GATE, "dev", "infra", parameters=parse_declared_parameters("infra"))
    asked = function_roles.questions(
        facts(*(Pipeline(f"team-{number}", gates=(gate,), role=ROLE) for number in range(200)))
    )
    assert max(len(one.resources) for one in asked) == 50
    assert len(asked) < 12


# What IAM answers


@pytest.mark.parametrize(
    ("result", "refused"),
    [
        ({"EvalDecision": "allowed"}, ()),
        ({"EvalDecision": "implicitDeny"}, (Refusal("a:B", "*"),)),
        (
            {"EvalDecision": "explicitDeny", "MissingContextValues": ["aws:Xy"]},
            (Refusal("a:B", "*", "an explicit deny"),),
        ),
        (
            {"EvalDecision": "implicitDeny", "MissingContextValues": ["aws:Xy", "bb:You", "a:Zoo"]},
            (Refusal("a:B", "*", "", ("aws:Xy", "a:Zoo")),),
        ),
        (
            {
                "EvalDecision": "explicitDeny",
                "OrganizationsDecisionDetail": {"AllowedByOrganizations": False},
            },
            (Refusal("a:B", "*", "a service control policy"),),
        ),
        (
            {
                "EvalDecision": "implicitDeny",
                "ResourceSpecificResults": [
                    {"EvalResourceName": "one", "EvalResourceDecision": "allowed"},
                    {"EvalResourceName": "two", "EvalResourceDecision": "implicitDeny"},
                ],
            },
            (Refusal("a:B", "two"),),
        ),
    ],
)
def test_an_answer_of_iams_is_read(result: dict[str, Any], refused: tuple[Refusal, ...]) -> None:
    client = boto3.client(
        "iam", region_name="eu-central-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    with Stubber(client) as stubber:
        stubber.add_response(
            "simulate_principal_policy",
            {"EvaluationResults": [{"EvalActionName": "a:B", **result}]},
        )
        assert iam.answer(client, Looks(), Question(ROLE, ("a:B",), ("*",))) == Answer(refused)
