"""CloudFormation in the sandbox: the resources that moto lacks, as a stack makes, changes and
deletes them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox import cloudformation, iam
from sandbox.account import ACCOUNT
from sandbox.iam import role_allows
from tests.sandbox.codepipeline_world import REGION, CodePipelineWorld
from tests.support.clients import client

ROLE = f"arn:aws:iam::{ACCOUNT}:role/pipeline"


@pytest.fixture(autouse=True)
def installed() -> Iterator[None]:
    with cloudformation.install(), iam.install():
        yield


def pipeline(**properties: Any) -> dict[str, Any]:
    """The resource, with the loose types that templates have."""
    source = {"PollForSourceChanges": False, "BranchName": "main"}
    stages: list[tuple[str, str, str, dict[str, Any]]] = [
        ("Source", "Source", "CodeCommit", {"Configuration": source}),
        ("Work", "Build", "CodeBuild", {"RunOrder": "2", "Configuration": {"Number": 7}}),
    ]
    return {
        "Type": "AWS::CodePipeline::Pipeline",
        "Properties": {
            "Name": "p",
            "RoleArn": ROLE,
            "ArtifactStore": {"Type": "S3", "Location": "artifacts"},
            "Stages": [
                {
                    "Name": name,
                    "Actions": [
                        {"Name": name, "ActionTypeId": type_id(category, provider), **members}
                    ],
                }
                for name, category, provider, members in stages
            ],
            **properties,
        },
    }


def type_id(category: str, provider: str) -> dict[str, Any]:
    return {"Category": category, "Owner": "AWS", "Provider": provider, "Version": 1}


class Stack:
    """One stack of the given resources."""

    def __init__(self) -> None:
        self.client = client("cloudformation", REGION)

    def create(self, **resources: Any) -> None:
        self.client.create_stack(StackName="s", TemplateBody=self._template(resources))

    def update(self, **resources: Any) -> None:
        self.client.update_stack(StackName="s", TemplateBody=self._template(resources))

    def delete(self) -> None:
        self.client.delete_stack(StackName="s")

    @property
    def outputs(self) -> dict[str, str]:
        outputs = self.client.describe_stacks(StackName="s")["Stacks"][0].get("Outputs", [])
        return {output["OutputKey"]: output["OutputValue"] for output in outputs}

    @staticmethod
    def _template(resources: dict[str, Any]) -> str:
        values = resources.pop("outputs", {})
        outputs = {name: {"Value": value} for name, value in values.items()}
        return json.dumps({"Resources": resources, "Outputs": outputs})


def names(aws: CodePipelineWorld) -> list[str]:
    return [pipeline["name"] for pipeline in aws.client.list_pipelines()["pipelines"]]


def test_a_pipeline_is_what_the_template_says_in_the_apis_names_and_types(
    aws: CodePipelineWorld,
) -> None:
    stack = Stack()
    members = {
        "PipelineType": "V2",
        "ExecutionMode": "QUEUED",
        "Variables": [{"Name": "bypass", "DefaultValue": False}],
        "Tags": [{"Key": "team", "Value": "a"}],
    }
    outputs = {"Name": {"Ref": "P"}, "Version": {"Fn::GetAtt": ["P", "Version"]}}
    stack.create(P=pipeline(**members), outputs=outputs)
    answer = aws.client.get_pipeline(name="p")
    made = answer["pipeline"]
    source, work = (stage["actions"][0] for stage in made["stages"])
    commit = {"category": "Source", "owner": "AWS", "provider": "CodeCommit", "version": "1"}
    assert source["actionTypeId"] == commit
    assert source["configuration"] == {"PollForSourceChanges": "false", "BranchName": "main"}
    assert (work["runOrder"], work["configuration"]) == (2, {"Number": "7"})
    assert made["executionMode"] == "QUEUED"
    assert made["variables"] == [{"name": "bypass", "defaultValue": "false"}]
    tags = aws.client.list_tags_for_resource(resourceArn=answer["metadata"]["pipelineArn"])["tags"]
    assert tags == [{"key": "team", "value": "a"}]
    assert stack.outputs == {"Name": "p", "Version": "1"}


def test_a_stage_condition_and_stores_by_region(aws: CodePipelineWorld) -> None:
    template = pipeline(PipelineType="V2")
    store = template["Properties"].pop("ArtifactStore")
    template["Properties"]["ArtifactStores"] = [{"Region": REGION, "ArtifactStore": store}]
    rule = {
        "Name": "Gate",
        "RuleTypeId": type_id("Rule", "LambdaInvoke"),
        "Configuration": {"FunctionName": "gate", "UserParameters": "infra"},
    }
    template["Properties"]["Stages"][1]["BeforeEntry"] = {
        "Conditions": [{"Result": "FAIL", "Rules": [rule]}]
    }
    Stack().create(P=template)
    made = aws.client.get_pipeline(name="p")["pipeline"]
    assert made["artifactStores"] == {REGION: {"type": "S3", "location": "artifacts"}}
    (rule,) = made["stages"][1]["beforeEntry"]["conditions"][0]["rules"]
    assert rule["configuration"]["UserParameters"] == "infra"


def test_a_new_pipeline_starts_automatically_and_an_edited_one_if_the_template_says_so(
    aws: CodePipelineWorld,
) -> None:
    aws.dials.start_on_create = True

    def triggers() -> list[tuple[str, str]]:
        answer = aws.client.list_pipeline_executions(pipelineName="p")
        return [
            (run["status"], run["trigger"]["triggerType"])
            for run in answer["pipelineExecutionSummaries"]
        ]

    stack = Stack()
    stack.create(P=pipeline())
    aws.advance(60)
    edited = pipeline()
    edited["Properties"]["Stages"][1]["Name"] = "Edited"
    stack.update(P=edited)
    assert triggers() == [("Succeeded", "CreatePipeline")]
    edited["Properties"]["RestartExecutionOnUpdate"] = True
    stack.update(P=edited)
    aws.advance(60)
    assert [trigger for _, trigger in triggers()] == ["StartPipelineExecution", "CreatePipeline"]
    assert aws.client.get_pipeline(name="p")["pipeline"]["version"] == 3


def test_another_name_is_another_pipeline_and_without_the_stack_there_is_none(
    aws: CodePipelineWorld,
) -> None:
    stack = Stack()
    stack.create(P=pipeline())
    stack.update(P=pipeline(Name="q"))
    assert names(aws) == ["q"]
    stack.update(P=pipeline(Name="q"), R=pipeline(Name="r"))
    assert names(aws) == ["q", "r"]
    stack.delete()
    assert names(aws) == []


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ({"Stages": []}, "AWS::CodePipeline::Pipeline p: Pipeline has only 0 stage"),
        (
            {"Variables": [{"Name": "v"}], "PipelineType": "V1"},
            "Pipeline variables need a pipeline of type V2",
        ),
        ({"Name": "p p"}, "failed to satisfy constraint"),
        ({"PipelineTyp": "V2"}, "Properties.Pipeline has no PipelineTyp; it takes "),
        ({"DisableInboundStageTransitions": []}, "has no DisableInboundStageTransitions"),
    ],
)
def test_what_codepipeline_refuses_the_stack_says(
    aws: CodePipelineWorld, properties: dict[str, Any], message: str
) -> None:
    with pytest.raises(ClientError) as caught:
        Stack().create(P=pipeline(**properties))
    assert message in caught.value.response["Error"]["Message"]
    assert names(aws) == []


def test_projects_bucket_policies_and_inline_policies_that_can_be_read(
    aws: CodePipelineWorld,
) -> None:
    arn_of_project = {"Fn::GetAtt": ["Project", "Arn"]}
    allow = {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": arn_of_project}
    policy = {"Version": "2012-10-17", "Statement": [allow]}
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"}
    public = {"Version": "2012-10-17", "Statement": [deny]}
    project = {
        "Name": "build",
        "ServiceRole": ROLE,
        "Source": {"Type": "CODEPIPELINE", "BuildSpec": "b.yml"},
        "Artifacts": {"Type": "CODEPIPELINE"},
        "Environment": {
            "Type": "LINUX_CONTAINER",
            "ComputeType": "BUILD_GENERAL1_SMALL",
            "Image": "i",
        },
        "TimeoutInMinutes": "10",
    }
    role = {
        "RoleName": "r",
        "AssumeRolePolicyDocument": policy,
        "Policies": [{"PolicyName": "p", "PolicyDocument": policy}],
    }
    bucket_policy = {"Bucket": {"Ref": "Bucket"}, "PolicyDocument": public}
    stack = Stack()
    stack.create(
        Project={"Type": "AWS::CodeBuild::Project", "Properties": project},
        Role={"Type": "AWS::IAM::Role", "Properties": role},
        Bucket={"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "bucket"}},
        Policy={"Type": "AWS::S3::BucketPolicy", "Properties": bucket_policy},
        outputs={"Project": {"Ref": "Project"}},
    )
    arn = f"arn:aws:codebuild:{REGION}:{ACCOUNT}:project/build"
    codebuild, s3, roles = (client(service, REGION) for service in ("codebuild", "s3", "iam"))
    (made,) = codebuild.batch_get_projects(names=["build"])["projects"]
    assert (made["arn"], made["source"]["buildspec"]) == (arn, "b.yml")
    assert stack.outputs == {"Project": "build"}
    assert json.loads(s3.get_bucket_policy(Bucket="bucket")["Policy"]) == public
    inline = roles.get_role_policy(RoleName="r", PolicyName="p")["PolicyDocument"]
    assert inline["Statement"][0]["Resource"] == arn
    assert role_allows(f"arn:aws:iam::{ACCOUNT}:role/r", "lambda:InvokeFunction", arn)
    stack.delete()
    assert (codebuild.list_projects()["projects"], s3.list_buckets()["Buckets"]) == ([], [])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"Events": {}}, "the sandbox does not support Events"),
        ({"Role": None}, "the sandbox needs Role"),
        ({"CodeUri": "./deployment.zip"}, "upload the code with aws cloudformation package"),
    ],
)
def test_a_serverless_function_that_the_sandbox_would_make_differently_is_refused(
    aws: CodePipelineWorld, changes: dict[str, Any], message: str
) -> None:
    declared = {"Role": ROLE, "CodeUri": {"Bucket": "b", "Key": "k"}, "Handler": "app.f"} | changes
    properties = {key: value for key, value in declared.items() if value is not None}
    with pytest.raises(ClientError, match=message):
        Stack().create(F={"Type": "AWS::Serverless::Function", "Properties": properties})
