"""CloudFormation for the sandbox: moto makes the stacks; the resources that moto lacks are here.

AWS::CodePipeline::Pipeline (pipeline.py), AWS::CodeBuild::Project (project.py),
AWS::S3::BucketPolicy (bucket_policy.py) and AWS::Serverless::Function (function.py). moto finds
them as subclasses of CloudFormationModel, when the first stack is made. A resource of any other
type is left out, with a warning from moto. moto's stacks are simpler than AWS's: a stack that fails
is not rolled back, a changed parameter reaches only what names it by Ref (not in a Sub), and a
role's inline policies never change.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from moto.iam.models import Role

from sandbox.cloudformation import bucket_policy, function, pipeline, project

__all__ = ["PATCHED", "bucket_policy", "function", "install", "pipeline", "project"]

PATCHED: tuple[str, ...] = (
    "moto.iam.models.Role.put_policy",
    # not replaced, but relied on: moto makes its list of resource types from the subclasses
    "moto.core.common_models.CloudFormationModel",
    "moto.cloudformation.parsing.get_model_list",
    "moto.cloudformation.parsing.parse_and_create_resource",
    "moto.cloudformation.parsing.parse_and_update_resource",
    "moto.cloudformation.parsing.parse_and_delete_resource",
    "moto.cloudformation.exceptions.ValidationError",
    "moto.awslambda.models.LambdaFunction.create_from_cloudformation_json",
    "moto.awslambda.models.LambdaFunction.update_from_cloudformation_json",
    "moto.awslambda.models.LambdaFunction.delete",
    "moto.codebuild.models.CodeBuildBackend.create_project",
    "moto.codebuild.models.CodeBuildBackend.delete_project",
    "moto.core.exceptions.JsonRESTError",
    "moto.core.utils.get_service_model",
    "moto.s3.exceptions.MissingBucket",
    "moto.s3.models.S3Backend.put_bucket_policy",
    "moto.s3.models.S3Backend.delete_bucket_policy",
    "moto.utilities.utils.get_partition",
)
"""Every moto internal that this package replaces or relies on."""

_put_policy = Role.put_policy


@contextmanager
def install() -> Iterator[None]:
    """Keep the inline policies of a stack's roles as text, like all others. moto keeps them parsed,
    and then cannot return them.
    """

    def put_policy(role: Role, policy_name: str, policy_json: Any) -> None:
        _put_policy(
            role,
            policy_name,
            policy_json if isinstance(policy_json, str) else json.dumps(policy_json),
        )

    with patch.object(Role, "put_policy", put_policy):
        yield
