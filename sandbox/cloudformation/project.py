"""AWS::CodeBuild::Project (guide: aws-resource-codebuild-project). Pipelines can name it; it builds
nothing.
"""

from __future__ import annotations

from typing import Any

from moto.codebuild.models import codebuild_backends
from moto.core.common_models import CloudFormationModel

from sandbox.cloudformation.properties import build_request, convert_refusals


class ProjectResource(CloudFormationModel):
    """A stack's project. Ref is the name, GetAtt Arn the ARN."""

    def __init__(self, name: str, arn: str) -> None:
        self.physical_resource_id = name
        self.arn = arn

    @staticmethod
    def cloudformation_name_type() -> str:
        return "Name"

    @staticmethod
    def cloudformation_type() -> str:
        return "AWS::CodeBuild::Project"

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        return attr == "Arn"

    def get_cfn_attribute(self, attribute_name: str) -> str:
        if attribute_name != "Arn":
            # moto fills in the resource's name.
            raise NotImplementedError(f"{{0}} has no attribute {attribute_name}")
        return self.arn

    def is_created(self) -> bool:
        return True

    @classmethod
    def create_from_cloudformation_json(
        cls,
        resource_name: str,
        cloudformation_json: dict[str, Any],
        account_id: str,
        region_name: str,
        **_: Any,
    ) -> ProjectResource:
        with convert_refusals(cls.cloudformation_type(), resource_name):
            properties = {**cloudformation_json["Properties"], "Name": resource_name}
            request = build_request("codebuild", "CreateProject", properties)
            project = codebuild_backends[account_id][region_name].create_project(
                project_name=resource_name,
                description=request.get("description"),
                project_source=request["source"],
                artifacts=request["artifacts"],
                environment=request["environment"],
                service_role=request["serviceRole"],
                tags=request.get("tags"),
                cache=request.get("cache"),
                timeout=request.get("timeoutInMinutes"),
                queued_timeout=request.get("queuedTimeoutInMinutes"),
                source_version=request.get("sourceVersion"),
                logs_config=request.get("logsConfig"),
                vpc_config=request.get("vpcConfig"),
            )
        return cls(resource_name, project["arn"])

    @classmethod
    def update_from_cloudformation_json(
        cls,
        original_resource: ProjectResource,
        new_resource_name: str,
        cloudformation_json: dict[str, Any],
        account_id: str,
        region_name: str,
    ) -> ProjectResource:
        name = cloudformation_json["Properties"].get("Name", original_resource.physical_resource_id)
        cls.delete_from_cloudformation_json(
            original_resource.physical_resource_id, cloudformation_json, account_id, region_name
        )
        return cls.create_from_cloudformation_json(
            name, cloudformation_json, account_id, region_name
        )

    @classmethod
    def delete_from_cloudformation_json(
        cls,
        resource_name: str,
        cloudformation_json: dict[str, Any],
        account_id: str,
        region_name: str,
    ) -> None:
        codebuild_backends[account_id][region_name].delete_project(resource_name)
