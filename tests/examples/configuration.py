"""examples/terraform as data: tfparse evaluates its expressions without a provider, and the result
is created in the sandbox.
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import boto3

from sandbox.account import ACCOUNT, REGION
from sandbox.cloudformation.properties import build_request
from tests.examples.readme import EXAMPLES

SOURCES = sorted((EXAMPLES / "terraform").glob("*.tf"))
Resource = dict[str, Any]
OF_THE_PARSER = {"__tfmeta", "id", "for_each", "depends_on"}

ARNS = {
    "aws_iam_role": f"arn:aws:iam::{ACCOUNT}:role/{{name_prefix}}made",
    "aws_codebuild_project": f"arn:aws:codebuild:{REGION}:{ACCOUNT}:project/{{name}}",
    "aws_cloudwatch_log_group": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{{name}}",
    "aws_caller_identity": ACCOUNT,
    "aws_lambda_function": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{{function_name}}",
}
"""What AWS would answer. Until then the parser writes the resource's own id, a UUID, wherever
something refers to it.
"""


def evaluated(folder: Path, variables: dict[str, Any]) -> dict[str, list[Resource]]:
    """The resources and data sources by type, with references and functions resolved. `folder` is
    scratch.
    """
    import tfparse  # noqa: PLC0415 - only `make examples` installs it

    for source in SOURCES:
        shutil.copy(source, folder)
    (folder / "given.tfvars").write_text(
        "".join(f"{name} = {json.dumps(value)}\n" for name, value in variables.items())
    )
    parsed = tfparse.load_from_path(
        str(folder), stop_on_hcl_error=True, vars_paths=["given.tfvars"]
    )
    arns = {
        resource["id"]: ARNS[kind].format(**resource)
        for kind, resources in parsed.items()
        if kind in ARNS
        for resource in resources
    }
    text = re.sub("|".join(arns), lambda match: arns[match[0]], json.dumps(parsed))
    return {
        kind: resources for kind, resources in json.loads(text).items() if kind.startswith("aws_")
    }


def create(resources: dict[str, list[Resource]]) -> None:
    """Create the pipelines and what they need."""
    iam, codepipeline = boto3.client("iam"), boto3.client("codepipeline")
    for role in resources["aws_iam_role"]:
        iam.create_role(
            RoleName=f"{role['name_prefix']}made",
            AssumeRolePolicyDocument=role["assume_role_policy"],
        )
    for policy in resources["aws_iam_role_policy"]:
        iam.put_role_policy(
            RoleName=policy["role"].rpartition("/")[2],
            PolicyName=policy["name"],
            PolicyDocument=policy["policy"],
        )
    for pipeline in resources["aws_codepipeline"]:
        codepipeline.create_pipeline(
            **build_request("codepipeline", "CreatePipeline", {"Pipeline": _declaration(pipeline)})
        )


def listed(block: Any) -> list[Any]:
    """A block's occurrences as a list; the parser does not return a list for a single one."""
    return block if isinstance(block, list) else [block]


def _declaration(pipeline: Resource) -> dict[str, Any]:
    """aws_codepipeline's arguments are CreatePipeline's members in snake case, but for the three
    below. `as_request` refuses any other.
    """
    stages = [
        {**_members(stage), "Actions": [_action(action) for action in listed(stage["action"])]}
        for stage in pipeline["stage"]
    ]
    return {
        **_members(pipeline),
        "ArtifactStore": _members(pipeline["artifact_store"]),
        "Stages": stages,
        "Variables": [_members(variable) for variable in listed(pipeline.get("variable", []))],
    }


def _action(action: Resource) -> dict[str, Any]:
    """Terraform writes the type into the action itself, and only the names of artifacts."""
    members = _members(action)
    members["ActionTypeId"] = {
        name: members.pop(name) for name in ("category", "owner", "provider", "version")
    }
    for name in ("inputartifacts", "outputartifacts"):
        members[name] = [{"Name": artifact} for artifact in members.get(name, [])]
    return members


def _members(block: Resource) -> dict[str, Any]:
    """The block's own arguments. The caller translates its nested blocks."""
    nested = ("stage", "action", "variable", "artifact_store")
    return {
        name.replace("_", ""): value
        for name, value in block.items()
        if name not in OF_THE_PARSER and name not in nested
    }
