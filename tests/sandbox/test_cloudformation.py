"""CloudFormation in the sandbox: the resources that moto lacks, as a stack makes, changes and
deletes them.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox import cloudformation
from sandbox.account import ACCOUNT
from sandbox.iam import role_allows
from tests.sandbox.clients import client
from tests.sandbox.codepipeline_world import REGION, CodePipelineWorld

ROLE = f"arn:aws:iam::{ACCOUNT}:role/pipeline"


@pytest.fixture(autouse=True)
def installed() -> Iterator[None]:
    with cloudformation.install():
        yield


def action(name: str, category: str, provider: str, **members: Any) -> dict[str, Any]:
    return {
        "Name": name,
        "ActionTypeId": {"Category": category, "Owner": "AWS", "Provider": provider, "Version": 1},
        **members,
    }


def pipeline(**properties: Any) -> dict[str, Any]:
    """The resource, with the loose types that templates have."""
    source = action(
        "Source",
        "Source",
        "CodeCommit",
        Configuration={"PollForSourceChanges": False, "BranchName": "main"},
    )
    return {
        "Type": "AWS::CodePipeline::Pipeline",
        "Properties": {
            "RoleArn": ROLE,
            "ArtifactStore": {"Type": "S3", "Location": "artifacts"},
            "Stages": [
                {"Name": "Source", "Actions": [source]},
                {
                    "Name": "Work",
                    "Actions": [
                        action(
                            "Work", "Build", "CodeBuild", RunOrder="2", Configuration={"Number": 7}
                        )
                    ],
                },
            ],
            **properties,
        },
    }


class Stack:
    """One stack, of the resources that it is told to be made of."""

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
        outputs = resources.pop("outputs", {})
        return json.dumps(
            {
                "Resources": resources,
                "Outputs": {name: {"Value": value} for name, value in outputs.items()},
            }
        )


def names(aws: CodePipelineWorld) -> list[str]:
    return [pipeline["name"] for pipeline in aws.client.list_pipelines()["pipelines"]]


def test_a_pipeline_is_what_the_template_says_in_the_apis_names_and_types(
    aws: CodePipelineWorld,
) -> None:
    stack = Stack()
    variables = [{"Name": "bypass", "DefaultValue": False}]
    tags = [{"Key": "team", "Value": "a"}]
    stack.create(
        P=pipeline(
            Name="p", PipelineType="V2", ExecutionMode="QUEUED", Variables=variables, Tags=tags
        ),
        outputs={"Name": {"Ref": "P"}, "Version": {"Fn::GetAtt": ["P", "Version"]}},
    )
    made = aws.client.get_pipeline(name="p")
    source, work = (stage["actions"][0] for stage in made["pipeline"]["stages"])
    assert source["actionTypeId"] == {
        "category": "Source",
        "owner": "AWS",
        "provider": "CodeCommit",
        "version": "1",
    }
    assert source["configuration"] == {"PollForSourceChanges": "false", "BranchName": "main"}
    assert (work["runOrder"], work["configuration"]) == (2, {"Number": "7"})
    assert made["pipeline"]["executionMode"] == "QUEUED"
    assert made["pipeline"]["variables"] == [{"name": "bypass", "defaultValue": "false"}]
    assert aws.client.list_tags_for_resource(resourceArn=made["metadata"]["pipelineArn"])[
        "tags"
    ] == [{"key": "team", "value": "a"}]
    assert stack.outputs == {"Name": "p", "Version": "1"}


def test_a_stage_condition_and_stores_by_region(aws: CodePipelineWorld) -> None:
    template = pipeline(Name="p", PipelineType="V2")
    store = template["Properties"].pop("ArtifactStore")
    template["Properties"]["ArtifactStores"] = [{"Region": REGION, "ArtifactStore": store}]
    rule = {
        "Name": "Gate",
        "RuleTypeId": {
            "Category": "Rule",
            "Owner": "AWS",
            "Provider": "LambdaInvoke",
            "Version": "1",
        },
        "Configuration": {"FunctionName": "gate", "UserParameters": "infra"},
    }
    template["Properties"]["Stages"][1]["BeforeEntry"] = {
        "Conditions": [{"Result": "FAIL", "Rules": [rule]}]
    }
    Stack().create(P=template)
    made = aws.client.get_pipeline(name="p")["pipeline"]
    assert made["artifactStores"] == {REGION: {"type": "S3", "location": "artifacts"}}
    assert (
        made["stages"][1]["beforeEntry"]["conditions"][0]["rules"][0]["configuration"][
            "UserParameters"
        ]
        == "infra"
    )


def test_a_new_pipeline_starts_by_itself_and_an_edited_one_where_the_template_says_so(
    aws: CodePipelineWorld,
) -> None:
    aws.dials.start_on_create = True
    stack = Stack()
    stack.create(P=pipeline(Name="p"))
    aws.advance(seconds=60)
    edited = pipeline(Name="p")
    edited["Properties"]["Stages"][1]["Name"] = "Edited"
    stack.update(P=edited)
    runs = aws.client.list_pipeline_executions(pipelineName="p")["pipelineExecutionSummaries"]
    assert [(run["status"], run["trigger"]["triggerType"]) for run in runs] == [
        ("Succeeded", "CreatePipeline")
    ]
    again = copy.deepcopy(edited)
    again["Properties"] |= {"RestartExecutionOnUpdate": True}
    stack.update(P=again)
    aws.advance(seconds=60)
    runs = aws.client.list_pipeline_executions(pipelineName="p")["pipelineExecutionSummaries"]
    assert [run["trigger"]["triggerType"] for run in runs] == [
        "StartPipelineExecution",
        "CreatePipeline",
    ]
    assert aws.client.get_pipeline(name="p")["pipeline"]["version"] == 3


def test_another_name_is_another_pipeline_and_without_the_stack_there_is_none(
    aws: CodePipelineWorld,
) -> None:
    stack = Stack()
    stack.create(P=pipeline(Name="p"))
    stack.update(P=pipeline(Name="q"))
    assert names(aws) == ["q"]
    stack.update(P=pipeline(Name="q"), R=pipeline(Name="r"))
    assert names(aws) == ["q", "r"]
    stack.delete()
    assert names(aws) == []


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ({"Name": "p", "Stages": []}, "AWS::CodePipeline::Pipeline p: Pipeline has only 0 stage"),
        (
            {"Name": "p", "Variables": [{"Name": "v"}]},
            "Pipeline variables need a pipeline of type V2",
        ),
        ({"Name": "p p"}, "failed to satisfy constraint"),
        ({"Name": "p", "PipelineTyp": "V2"}, "Properties.Pipeline has no PipelineTyp; it takes "),
        (
            {"Name": "p", "DisableInboundStageTransitions": []},
            "has no DisableInboundStageTransitions",
        ),
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
    statement = {
        "Effect": "Allow",
        "Action": "lambda:InvokeFunction",
        "Resource": {"Fn::GetAtt": ["Project", "Arn"]},
    }
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    public = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"}],
    }
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
    stack = Stack()
    stack.create(
        Project={"Type": "AWS::CodeBuild::Project", "Properties": project},
        Role={"Type": "AWS::IAM::Role", "Properties": role},
        Bucket={"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "bucket"}},
        Policy={
            "Type": "AWS::S3::BucketPolicy",
            "Properties": {"Bucket": {"Ref": "Bucket"}, "PolicyDocument": public},
        },
        outputs={"Project": {"Ref": "Project"}},
    )
    arn = f"arn:aws:codebuild:{REGION}:{ACCOUNT}:project/build"
    codebuild, s3, iam = (client(service, REGION) for service in ("codebuild", "s3", "iam"))
    (made,) = codebuild.batch_get_projects(names=["build"])["projects"]
    assert (made["arn"], made["source"]["buildspec"], stack.outputs) == (
        arn,
        "b.yml",
        {"Project": "build"},
    )
    assert json.loads(s3.get_bucket_policy(Bucket="bucket")["Policy"]) == public
    assert (
        iam.get_role_policy(RoleName="r", PolicyName="p")["PolicyDocument"]["Statement"][0][
            "Resource"
        ]
        == arn
    )
    assert role_allows(f"arn:aws:iam::{ACCOUNT}:role/r", "lambda:InvokeFunction", arn)
    stack.delete()
    assert (codebuild.list_projects()["projects"], s3.list_buckets()["Buckets"]) == ([], [])
