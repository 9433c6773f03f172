"""What `gatectl doctor` finds about the permissions of roles."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from chalicelib.account.pipeline import Pipeline
from chalicelib.aws.iam import Iam, PolicyAnswer, PolicyQuestion, Refusal
from gatectl.doctor import examine, function_roles, pipeline_roles
from gatectl.doctor.aws import Inspector, ask_iam
from gatectl.doctor.evidence import DoctorEvidence
from gatectl.doctor.finding import Finding
from gatectl.doctor.reader import DoctorReader
from gatectl.functions import DeployedFunctions
from gatectl.session import Place
from sandbox.account import ACCOUNT, PIPELINE_ROLE, create_role
from tests.support.ask import ask
from tests.support.cli import run
from tests.support.declared import gated as declare
from tests.support.deployment import RETRY, findings, mend, name_the_gate, paste, the_finding
from tests.support.held import edit
from tests.support.person import role_may
from tests.support.scene import GATE, Scene

GATE_ARN = f"arn:aws:lambda:eu-central-1:{ACCOUNT}:function:{GATE}"
INVOKE = {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": "*"}
ANYTHING_IN_S3 = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}


def read_statements(role: str, policy: str) -> list[dict[str, Any]]:
    client = boto3.client("iam")
    document: Any = client.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
    statements: list[dict[str, Any]] = document["Statement"]
    return statements


def goes_past_its_gate(scene: Scene, pipeline: str = "k8s") -> bool:
    scene.start(pipeline)
    return bool(scene.gate_action(pipeline)["status"] == "Succeeded")


@pytest.fixture
def gated(sound: Scene) -> Scene:
    sound.pipeline("infra")
    sound.k8s()
    return sound


# The pipeline's role


def test_a_pipeline_whose_role_may_not_invoke_the_gate(gated: Scene) -> None:
    role_may("pipelines")
    gated.start("k8s")
    assert gated.gate_action()["errorDetails"]["code"] == "PermissionError"
    finding = the_finding("pipeline-role")
    assert finding["what"] == f"This role of k8s may not invoke {GATE}."
    assert (finding["severity"], finding["mendable"]) == ("error", True)
    said = mend()
    assert f'"Resource": "{GATE_ARN}"' in said.words
    assert said.status == 0
    assert goes_past_its_gate(gated)


def test_the_role_keeps_its_permissions(gated: Scene) -> None:
    """With --mend, and with the command that is printed."""
    role_may("pipelines", ANYTHING_IN_S3)
    paste(the_finding("pipeline-role"))
    names = boto3.client("iam").list_role_policies(RoleName="pipelines")["PolicyNames"]
    assert names == ["all", f"invoke-{GATE}"]
    role_may("pipelines", ANYTHING_IN_S3, policy=f"invoke-{GATE}")
    mend()
    assert findings() == []
    assert ANYTHING_IN_S3 in read_statements("pipelines", f"invoke-{GATE}")


def test_a_statement_for_another_name_of_the_function_is_added(gated: Scene) -> None:
    role_may("pipelines")
    mend()
    gated.gated("apps", ask("infra", pipeline="apps"))
    name_the_gate(gated, "apps", f"{GATE}:prod")
    assert (
        f"Its policy invoke-{GATE} keeps its other statements."
        in the_finding("pipeline-role")["how"]
    )
    mend()
    assert findings() == []
    assert goes_past_its_gate(gated)


def test_yes_does_not_change_a_role(gated: Scene) -> None:
    role_may("pipelines")
    said = run("doctor", "--mend", "--yes")
    assert said.status == 1
    assert boto3.client("iam").list_role_policies(RoleName="pipelines")["PolicyNames"] == []


def test_the_actions_own_role_replaces_the_pipelines(gated: Scene) -> None:
    create_role("only-wait", "codepipeline.amazonaws.com")

    def use_role(declared: Any) -> None:
        declared["stages"][1]["actions"][0]["roleArn"] = PIPELINE_ROLE.replace(
            "pipelines", "only-wait"
        )

    edit(gated, change=use_role)
    assert the_finding("pipeline-role")["where"] == "role only-wait"
    mend()
    role_may("pipelines")
    assert findings() == []
    assert goes_past_its_gate(gated)


def test_the_functions_own_policy_may_allow_the_role(gated: Scene) -> None:
    role_may("pipelines")
    gated.awslambda.add_permission(
        FunctionName=GATE,
        StatementId="k8s",
        Action="lambda:InvokeFunction",
        Principal=PIPELINE_ROLE,
    )
    assert findings() == []
    assert goes_past_its_gate(gated)
    role_may("pipelines", {**INVOKE, "Effect": "Deny"})  # which overrides every allow
    finding = the_finding("pipeline-role")
    assert finding["what"].endswith(f"may not invoke {GATE}: an explicit deny forbids it.")


def test_an_alias_needs_its_own_permission(gated: Scene) -> None:
    name_the_gate(gated, "k8s", f"{GATE_ARN}:live")
    role_may("pipelines", {**INVOKE, "Resource": GATE_ARN})
    the_finding("pipeline-role")
    role_may("pipelines", {**INVOKE, "Resource": f"{GATE_ARN}:live"})
    assert findings() == []


# The pipelines' roles, on plain evidence


def check_pipeline_role(
    evidence: DoctorEvidence, *refusals: Refusal, pipelines: Iterable[Pipeline] = (), **changes: Any
) -> list[Finding]:
    """Return the findings if IAM answers each question about pipelines' roles like this."""
    added = {pipeline.name: pipeline for pipeline in pipelines}
    evidence = replace(evidence, pipelines={**(evidence.pipelines or {}), **added})
    answers = {
        question: PolicyAnswer(
            tuple(replace(each, resource=question.resources[0]) for each in refusals)
        )
        for question in pipeline_roles.list_questions(evidence)
    }
    return list(pipeline_roles.findings(replace(evidence, answers=answers, **changes)))


MISSING = Refusal("lambda:InvokeFunction", GATE_ARN)
NO_POLICY: dict[str, Any] = {"policies": {("pipelines", f"invoke-{GATE}"): {}}}


def declare_apps(function: str = GATE) -> Pipeline:
    apps = declare("apps", ask("infra", pipeline="apps"))
    return replace(apps, gates=(replace(apps.gates[0], function=function),))


def test_pipelines_with_the_same_role_share_a_finding(
    evidence: DoctorEvidence,
) -> None:
    apps = declare_apps(f"{GATE}:prod")
    (finding,) = check_pipeline_role(evidence, MISSING, pipelines=[apps], **NO_POLICY)
    assert finding.problem.endswith(f"role of apps and k8s may not invoke {GATE} and {GATE}:prod.")
    assert finding.consent
    (call,) = finding.calls
    (statement,) = json.loads(call.parameters["PolicyDocument"])["Statement"]
    assert statement["Resource"] == [GATE_ARN, f"{GATE_ARN}:prod"]


def test_roles_that_mend_cannot_fix(evidence: DoctorEvidence) -> None:
    (unseen,) = check_pipeline_role(evidence, MISSING, policies={})
    assert f"it could not read the role's policy invoke-{GATE}" in unseen.how
    (forbidden,) = check_pipeline_role(evidence, replace(MISSING, by="its permissions boundary"))
    assert forbidden.problem.endswith("its permissions boundary forbids it.")
    (unknown,) = check_pipeline_role(evidence, replace(MISSING, unknown=("aws:sourcevpc",)))
    assert (unknown.kind, unknown.severity) == ("role-depends", "note"), "it may be right"
    assert "depends on aws:sourcevpc" in unknown.problem
    assert unseen.calls == forbidden.calls == unknown.calls == ()


def test_a_role_of_another_account_is_not_checked(evidence: DoctorEvidence) -> None:
    apps = declare_apps()
    theirs = replace(apps.gates[0], role="arn:aws:iam::210987654321:role/theirs")
    pipelines = {**(evidence.pipelines or {}), "apps": replace(apps, gates=(theirs,))}
    questions = pipeline_roles.list_questions(replace(evidence, pipelines=pipelines))
    assert [question.role for question in questions] == [PIPELINE_ROLE]


# The functions' roles


NEEDS = [
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
]


def test_each_statement_of_the_two_policies_is_needed(gated: Scene) -> None:
    theirs = {
        "pipeline": "arn:aws:codepipeline:eu-central-1:210987654321:dns",
        "role_arn": "arn:aws:iam::210987654321:role/pipeline-gate-look",
    }
    gated.gated("apps", ask("infra", theirs, pipeline="apps"))
    gated.events.create_event_bus(Name="chat")
    for name in (GATE, RETRY):
        gated.awslambda.update_function_configuration(
            FunctionName=name, Environment={"Variables": {"EVENT_BUS": "chat"}}
        )
    evidence = DoctorReader(Place(None, None, json=False)).read_evidence()
    assert examine(evidence) == []
    statements = {name: read_statements(name, name) for name in (GATE, RETRY)}
    for function, sid, action in NEEDS:
        role_may(function, *(each for each in statements[function] if each["Sid"] != sid))
        (finding,) = ask_again(evidence, function)
        assert finding.where == f"role {function} of function {function}"
        assert action in finding.problem
        assert finding.severity == ("warning" if sid == "Log" else "error"), sid
        assert finding.commands == (("chalice", "deploy", "--stage", "dev"),)
    role_may(RETRY)
    (finding,) = ask_again(evidence, RETRY)
    assert finding.problem == "It allows none of the calls that the function makes."


def ask_again(evidence: DoctorEvidence, function: str) -> list[Finding]:
    """Return the findings after asking IAM about the role of this function again."""
    client, role = boto3.client("iam"), evidence.functions[function].role
    answers = {
        question: ask_iam(Iam(client), Inspector(), question)
        for question in function_roles.list_questions(evidence)
        if question.role == role
    }
    known = {question: answer for question, answer in answers.items() if answer}
    return list(function_roles.findings(replace(evidence, answers={**evidence.answers, **known})))


def test_a_policy_may_be_restricted_to_certain_pipelines(gated: Scene) -> None:
    """As docs/permissions.md advises. A pipeline that is missing from the list is reported."""
    names = ("infra", "k8s", "k8s/*")
    pipelines = [f"arn:aws:codepipeline:eu-central-1:{ACCOUNT}:{name}" for name in names]
    for function in (GATE, RETRY):
        narrow = [
            {**each, "Resource": pipelines}
            if each["Resource"] == "arn:*:codepipeline:*:*:*"
            else each
            for each in read_statements(function, function)
        ]
        role_may(function, *narrow)
    assert findings() == []
    gated.pipeline("dns")
    gated.gated("apps", ask("dns", pipeline="apps"))
    problems = [finding["what"] for finding in findings()]
    assert len(problems) == 2
    assert all("on dns" in problem and "on apps" in problem for problem in problems)


def test_a_role_that_no_longer_exists(gated: Scene) -> None:
    role_may(GATE)
    boto3.client("iam").delete_role(RoleName=GATE)
    assert the_finding("no-role")["where"] == f"role {GATE} of function {GATE}"


def test_each_deployment_is_checked_for_its_own_pipelines(evidence: DoctorEvidence) -> None:
    prod = "pipeline-gate-prod-gate"
    function = replace(evidence.functions[GATE], name=prod, role="arn:aws:iam::1:role/prod")
    prod_functions = DeployedFunctions("prod", has_gate=True, has_retry=True)
    questions = function_roles.list_questions(
        replace(evidence, deployed=(prod_functions,), functions={prod: function})
    )
    resources = {resource for question in questions for resource in question.resources}
    assert resources
    assert not [resource for resource in resources if ":codepipeline:" in resource]


def test_a_permission_that_depends_on_a_condition_key(evidence: DoctorEvidence) -> None:
    unknown = Refusal("events:DeleteRule", "*", unknown=("aws:sourcevpc",))
    questions = function_roles.list_questions(evidence)
    question = next(each for each in questions if "events:DeleteRule" in each.actions)
    answers = {**evidence.answers, question: PolicyAnswer((unknown,))}
    (finding,) = function_roles.findings(replace(evidence, answers=answers))
    assert (finding.kind, finding.severity) == ("role-depends", "note")
    assert "events:DeleteRule on *" in finding.problem


def test_many_pipelines_need_few_calls_of_iam(evidence: DoctorEvidence) -> None:
    team = declare("team", ask("infra"))
    pipelines = {f"team-{number}": replace(team, name=f"team-{number}") for number in range(200)}
    questions = function_roles.list_questions(replace(evidence, pipelines=pipelines))
    assert max(len(question.resources) for question in questions) == 50
    of_gate = [each for each in questions if each.role == evidence.functions[GATE].role]
    assert len(of_gate) < 12


# Answers of IAM


ORGANIZATION = {"OrganizationsDecisionDetail": {"AllowedByOrganizations": False}}
BOUNDARY = {"PermissionsBoundaryDecisionDetail": {"AllowedByPermissionsBoundary": False}}
EACH = [
    {"EvalResourceName": "one", "EvalResourceDecision": "allowed"},
    {"EvalResourceName": "two", "EvalResourceDecision": "implicitDeny"},
]


@pytest.mark.parametrize(
    ("decision", "details", "refused"),
    [
        ("allowed", {}, None),
        ("implicitDeny", {}, Refusal("a:B", "*")),
        (
            "explicitDeny",
            {"MissingContextValues": ["aws:Xy"]},
            Refusal("a:B", "*", "an explicit deny"),
        ),
        (
            "implicitDeny",
            {"MissingContextValues": ["aws:Xy", "bb:You", "a:Zoo"]},
            Refusal("a:B", "*", "", ("aws:Xy", "a:Zoo")),
        ),
        ("explicitDeny", ORGANIZATION, Refusal("a:B", "*", "a service control policy")),
        ("implicitDeny", BOUNDARY, Refusal("a:B", "*", "its permissions boundary")),
        ("implicitDeny", {"ResourceSpecificResults": EACH}, Refusal("a:B", "two")),
    ],
)
def test_parsing_an_answer_of_iam(
    decision: str, details: dict[str, Any], refused: Refusal | None
) -> None:
    client = boto3.client("iam", aws_access_key_id="x", aws_secret_access_key="x")
    question = PolicyQuestion(PIPELINE_ROLE, ("a:B",), ("*",))
    result: Any = {"EvalActionName": "a:B", "EvalDecision": decision, **details}
    with Stubber(client) as stubber:
        stubber.add_response("simulate_principal_policy", {"EvaluationResults": [result]})
        answer = ask_iam(Iam(client), Inspector(), question)
    assert answer == PolicyAnswer((refused,) if refused else ())


# A role that two regions share


def deploy_elsewhere(region: str, *, role: str | None = None) -> None:
    """Deploy the functions of "dev" to another region, too; with their roles, as Chalice does, or
    with `role`.
    """
    for name in (GATE, RETRY):
        arn = f"arn:aws:iam::{ACCOUNT}:role/{role or name}"
        create_function = boto3.client("lambda", region_name=region).create_function
        create_function(
            FunctionName=name,
            Role=arn,
            Code={"ZipFile": b"zip"},
            Handler="app.gate",
            Runtime="python3.11",
        )


def use_role(name: str, region: str) -> None:
    """Make a call in a region with this role."""
    arn = f"arn:aws:iam::{ACCOUNT}:role/{name}"
    keys = boto3.client("sts").assume_role(RoleArn=arn, RoleSessionName=name)["Credentials"]
    boto3.client(
        "codepipeline",
        region_name=region,
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    ).list_pipeline_executions(pipelineName="infra")


def test_a_stage_that_is_deployed_in_two_regions(gated: Scene) -> None:
    virginia = boto3.client("codepipeline", region_name="us-east-1")
    virginia.create_pipeline(pipeline=gated.codepipeline.get_pipeline(name="infra")["pipeline"])
    use_role(GATE, "us-east-1")
    assert findings() == [], "the gate only read an upstream there"
    deploy_elsewhere("us-east-1")
    finding = the_finding("shared-role")
    assert (finding["where"], finding["severity"]) == ("stage dev", "warning")
    assert finding["what"] == (f"It is also deployed in us-east-1, with the same role: {GATE}.")
    use_role(RETRY, "us-east-1")
    assert f"with the same roles: {GATE} and {RETRY}." in the_finding("shared-role")["what"]
    use_role(GATE, "eu-central-1")
    use_role(RETRY, "eu-central-1")
    assert findings() == [], "IAM knows only the last region"


def test_a_stage_that_is_deployed_where_an_upstream_is(gated: Scene) -> None:
    virginia = boto3.client("codepipeline", region_name="us-east-1")
    virginia.create_pipeline(pipeline=gated.codepipeline.get_pipeline(name="infra")["pipeline"])
    deploy_elsewhere("us-east-1")
    upstream = f"arn:aws:codepipeline:us-east-1:{ACCOUNT}:infra"
    gated.gated("apps", ask(upstream, pipeline="apps"))
    assert the_finding("shared-role")["what"].startswith("It is also deployed in us-east-1")


def test_the_same_stage_elsewhere_with_roles_of_its_own(gated: Scene) -> None:
    virginia = boto3.client("codepipeline", region_name="us-east-1")
    virginia.create_pipeline(pipeline=gated.codepipeline.get_pipeline(name="infra")["pipeline"])
    create_role("other", "lambda.amazonaws.com")
    deploy_elsewhere("us-east-1", role="other")
    gated.gated("apps", ask(f"arn:aws:codepipeline:us-east-1:{ACCOUNT}:infra", pipeline="apps"))
    assert findings() == []
