"""What every example has to do, whatever tool created its pipelines."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from typing import Any

import boto3
import parliament

from sandbox.account import ACCOUNT, REGION
from sandbox.iam import role_allows
from tests.support.scene import EXECUTION, GATE, Scene

BYPASS = [{"name": "bypass", "value": "true"}]


def plays(scene: Scene) -> None:
    """k8s waits for infra and starts again when infra has ended. With the variable it passes while
    infra is running. The roles allow nothing else.

    The pipelines of the example exist and have not run. Nothing runs when this ends.
    """
    scene.world.dials.action_seconds = 60
    # The gate knows only what the example's UserParameters say.
    scene.world.dials.job_details = "nothing"
    the_gate_has_what_the_readme_writes(scene)
    a_hold_and_its_end(scene)
    an_urgent_fix_passes(scene)
    only_k8s_may_invoke_the_gate_and_nothing_else(scene)
    each_role_may_do_what_its_pipeline_does(scene)
    no_policy_is_for_anything(scene)
    each_role_is_for_its_pipeline_only(scene)


def the_gate_has_what_the_readme_writes(scene: Scene) -> None:
    stages = scene.codepipeline.get_pipeline(name="k8s")["pipeline"]["stages"]
    assert [stage["name"] for stage in stages] == ["Source", "Gate", "Deploy"]
    configuration = stages[1]["actions"][0]["configuration"]
    assert configuration["FunctionName"] == GATE
    assert json.loads(configuration["UserParameters"]) == {
        "depends_on": ["infra"],
        "pipeline": "k8s",
        "execution": EXECUTION,
        "bypass": "#{variables.bypass}",
    }


def a_hold_and_its_end(scene: Scene) -> None:
    for name in ("infra", "k8s"):
        scene.start(name)
    scene.wait(seconds=55)
    assert (scene.statuses("infra"), scene.statuses("k8s")) == (["InProgress"], ["Failed"])
    assert scene.gate_action()["errorDetails"]["message"].startswith(
        "k8s has been waiting for infra since "
    )
    assert len(scene.rules()) == 1
    scene.wait(minutes=5)
    assert scene.statuses("infra") == ["Succeeded"]
    assert scene.statuses("k8s") == ["Succeeded", "Failed"]
    assert scene.rules() == []


def an_urgent_fix_passes(scene: Scene) -> None:
    scene.start("infra")
    scene.start("k8s", variables=BYPASS)
    scene.wait(seconds=55)
    assert scene.statuses("infra")[0] == "InProgress"
    assert scene.gate_action()["status"] == "Succeeded"
    scene.wait(minutes=5)
    assert scene.statuses("k8s")[0] == "Succeeded"


def only_k8s_may_invoke_the_gate_and_nothing_else(scene: Scene) -> None:
    for pipeline, function, may in [
        ("k8s", GATE, True),
        ("k8s", "pipeline-gate-dev-retry", False),
        ("k8s", f"{GATE}-too", False),
        ("infra", GATE, False),
    ]:
        role = scene.codepipeline.get_pipeline(name=pipeline)["pipeline"]["roleArn"]
        arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function}"
        assert role_allows(role, "lambda:InvokeFunction", arn) is may
    for pipeline in ("infra", "k8s"):
        role = scene.codepipeline.get_pipeline(name=pipeline)["pipeline"]["roleArn"]
        assert role_allows(role, "lambda:ListFunctions", "*") is (pipeline == "k8s")


def each_role_may_do_what_its_pipeline_does(scene: Scene) -> None:
    """Use the connection, read and write artifacts, and start its own project. The sandbox itself
    does none of that.
    """
    pipelines = [
        scene.codepipeline.get_pipeline(name=name)["pipeline"] for name in ("infra", "k8s")
    ]
    for pipeline, other in (pipelines, pipelines[::-1]):
        role, bucket = pipeline["roleArn"], pipeline["artifactStore"]["location"]
        source = pipeline["stages"][0]["actions"][0]["configuration"]
        assert role_allows(role, "codeconnections:UseConnection", source["ConnectionArn"])
        # A source with a connection also sets the ACL of what it writes (practice: aws-cdk#13557).
        for action in ("s3:GetObject", "s3:PutObject", "s3:PutObjectAcl"):
            assert role_allows(role, action, f"arn:aws:s3:::{bucket}/{pipeline['name']}/source/1")
        for one in (pipeline, other):
            project = one["stages"][-1]["actions"][0]["configuration"]["ProjectName"]
            arn = f"arn:aws:codebuild:{REGION}:{ACCOUNT}:project/{project}"
            assert role_allows(role, "codebuild:StartBuild", arn) is (one is pipeline)


def each_role_is_for_its_pipeline_only(scene: Scene) -> None:
    """CodePipeline and CodeBuild act for every account, so a role must not serve another account's
    pipeline or project (guide: cross-service-confused-deputy-prevention).
    """
    served = []
    for name in ("infra", "k8s"):
        stages = scene.codepipeline.get_pipeline(name=name)["pipeline"]["stages"]
        project = stages[-1]["actions"][0]["configuration"]["ProjectName"]
        served += [f"codepipeline:{REGION}:{ACCOUNT}:{name}"]
        served += [f"codebuild:{REGION}:{ACCOUNT}:project/{project}"]
    patterns = []
    for role in _list_roles():
        (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
        assert statement["Condition"]["StringEquals"] == {"aws:SourceAccount": ACCOUNT}
        patterns.append(statement["Condition"]["ArnLike"]["aws:SourceArn"])
    matches = [
        [resource for resource in served if fnmatchcase(f"arn:aws:{resource}", pattern)]
        for pattern in patterns
    ]
    assert sorted(matches) == [[resource] for resource in sorted(served)]


def artifacts_are_private(template: dict[str, Any]) -> None:
    """moto's stacks ignore half of a bucket's properties, so this reads them from the
    CloudFormation template.
    """
    resources = list(template["Resources"].values())
    (bucket,) = [
        resource["Properties"] for resource in resources if resource["Type"] == "AWS::S3::Bucket"
    ]
    assert list(bucket["PublicAccessBlockConfiguration"].values()) == [True] * 4
    assert bucket["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    (encryption,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert encryption["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
    (policy,) = [
        resource["Properties"]["PolicyDocument"]
        for resource in resources
        if resource["Type"] == "AWS::S3::BucketPolicy"
    ]
    (statement,) = policy["Statement"]
    assert (statement["Effect"], statement["Action"]) == ("Deny", "s3:*")
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def no_policy_is_for_anything(scene: Scene) -> None:
    """No statement says "any resource" if AWS supports resource-level permissions for the
    action.
    """
    policies = _policies(scene)
    assert len(policies) >= 4, "two pipelines and two deployments"
    for role, policy in policies:
        for statement in policy["Statement"]:
            assert statement["Resource"] != "*" or statement["Action"] == "lambda:ListFunctions", (
                role,
                statement,
            )


def no_policy_has_a_finding(scene: Scene) -> None:
    """parliament objects to no role's policy. (Not for the CDK, whose own grants are wider than
    those written by hand.)
    """
    for role, policy in _policies(scene):
        findings = [
            finding.detail
            for finding in parliament.analyze_policy_string(json.dumps(policy)).findings
        ]
        # The connection's ARN has one of the service's two names; the action of the other is there
        # for connections that have that one.
        assert [
            detail for detail in findings if "codestar-connections:UseConnection" not in str(detail)
        ] == [], role


def _list_roles() -> list[Any]:
    """The example's roles. All of them are for services."""
    iam: Any = boto3.client("iam")
    services = ("codepipeline.amazonaws.com", "codebuild.amazonaws.com")
    return [
        role
        for role in iam.list_roles()["Roles"]
        if role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"].get("Service") in services
        and role["RoleName"] != "pipelines"
    ]


def _policies(scene: Scene) -> list[tuple[str, Any]]:
    iam: Any = boto3.client("iam")
    roles = [role["RoleName"] for role in _list_roles()]
    return [
        (f"{role} {name}", iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"])
        for role in roles
        for name in iam.list_role_policies(RoleName=role)["PolicyNames"]
    ]
