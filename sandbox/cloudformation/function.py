"""AWS::Serverless::Function, as `chalice package` writes it: the function that SAM would make of it
(guide: sam-resource-function). AWS replaces it by an AWS::Lambda::Function before it makes the
stack; here it is one right away.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from moto.awslambda.models import LambdaFunction
from moto.core.common_models import CloudFormationModel

from sandbox.cloudformation.properties import Properties, convert_refusals

SAME_IN_LAMBDA = {
    "FunctionName",
    "Description",
    "Handler",
    "Runtime",
    "Role",
    "MemorySize",
    "Timeout",
    "Environment",
    "VpcConfig",
    "ReservedConcurrentExecutions",
}
IGNORED = {"Architectures", "Tags", "Tracing"}
"""What changes nothing in the sandbox."""


class ServerlessFunctionResource(CloudFormationModel):
    """A stack's function. Ref is the name, GetAtt Arn the ARN. What it makes is moto's function,
    which a stack can delete.
    """

    @staticmethod
    def cloudformation_name_type() -> str:
        return "FunctionName"

    @staticmethod
    def cloudformation_type() -> str:
        return "AWS::Serverless::Function"

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        return attr == "Arn"

    @classmethod
    def create_from_cloudformation_json(
        cls,
        resource_name: str,
        cloudformation_json: dict[str, Any],
        account_id: str,
        region_name: str,
        **_: Any,
    ) -> LambdaFunction:
        with convert_refusals(cls.cloudformation_type(), resource_name):
            properties = _translate(cloudformation_json["Properties"])
        return LambdaFunction.create_from_cloudformation_json(
            resource_name, {"Properties": properties}, account_id, region_name
        )

    @classmethod
    def update_from_cloudformation_json(
        cls,
        original_resource: LambdaFunction,
        new_resource_name: str,
        cloudformation_json: dict[str, Any],
        account_id: str,
        region_name: str,
    ) -> LambdaFunction:
        """Change the function; another FunctionName is another function, and the old one is
        deleted.
        """
        name = cloudformation_json["Properties"].get("FunctionName")
        if name not in (None, original_resource.function_name):
            original_resource.delete(account_id, region_name)
            return cls.create_from_cloudformation_json(
                new_resource_name, cloudformation_json, account_id, region_name
            )
        with convert_refusals(cls.cloudformation_type(), new_resource_name):
            properties = _translate(cloudformation_json["Properties"])
        return LambdaFunction.update_from_cloudformation_json(
            original_resource,
            new_resource_name,
            {"Properties": properties},
            account_id,
            region_name,
        )


def _translate(properties: Properties) -> Properties:
    """The properties of the AWS::Lambda::Function. ValueError, with a message for people, for what
    the sandbox does not support.
    """
    supported = SAME_IN_LAMBDA | IGNORED | {"CodeUri"}
    if unsupported := sorted(properties.keys() - supported):
        raise ValueError(f"the sandbox does not support {unsupported[0]}")
    if missing := sorted({"CodeUri", "Role"} - properties.keys()):
        raise ValueError(f"the sandbox needs {missing[0]}")
    same = {key: value for key, value in properties.items() if key in SAME_IN_LAMBDA}
    return {**same, "Code": _find_code(properties["CodeUri"])}


def _find_code(uri: Any) -> dict[str, str]:
    """The zip's place in S3, from s3://BUCKET/KEY, as `aws cloudformation package` writes it, or
    from a map.
    """
    if isinstance(uri, dict):
        return {"S3Bucket": uri["Bucket"], "S3Key": uri["Key"]}
    parts = urlsplit(str(uri))
    if parts.scheme != "s3":
        raise ValueError(
            f"CodeUri {uri} is not in S3: upload the code with aws cloudformation package"
        )
    return {"S3Bucket": parts.netloc, "S3Key": parts.path.removeprefix("/")}
