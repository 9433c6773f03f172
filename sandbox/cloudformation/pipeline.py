"""AWS::CodePipeline::Pipeline: the pipeline that a stack makes, changes and deletes (guide:
aws-resource-codepipeline-pipeline).
"""

from __future__ import annotations

from typing import Any

from moto.codepipeline.models import codepipeline_backends
from moto.core.common_models import CloudFormationModel

from sandbox.cloudformation.properties import Properties, build_request, convert_refusals
from sandbox.codepipeline import limits
from sandbox.codepipeline.models import CodePipelineBackend
from sandbox.world import current_world

CALLER = "cloudformation.amazonaws.com"


class PipelineResource(CloudFormationModel):
    """A stack's pipeline. Ref is the name, GetAtt Version the version."""

    def __init__(self, backend: CodePipelineBackend, name: str) -> None:
        self.backend = backend
        self.physical_resource_id = name

    @staticmethod
    def cloudformation_name_type() -> str:
        return "Name"

    @staticmethod
    def cloudformation_type() -> str:
        return "AWS::CodePipeline::Pipeline"

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        return attr == "Version"

    def get_cfn_attribute(self, attribute_name: str) -> str:
        if attribute_name != "Version":
            # moto fills in the resource's name.
            raise NotImplementedError(f"{{0}} has no attribute {attribute_name}")
        return str(self.backend.pipeline(self.physical_resource_id).version)

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
    ) -> PipelineResource:
        """CreatePipeline, which also starts the new pipeline."""
        backend = _find_backend(account_id, region_name)
        with convert_refusals(cls.cloudformation_type(), resource_name), current_world().lock:
            request = _build_request(
                "CreatePipeline", resource_name, cloudformation_json["Properties"]
            )
            backend.create_pipeline(request["pipeline"], request.get("tags") or [], CALLER)
        return cls(backend, resource_name)

    @classmethod
    def update_from_cloudformation_json(
        cls,
        original_resource: PipelineResource,
        new_resource_name: str,
        cloudformation_json: dict[str, Any],
        account_id: str,
        region_name: str,
    ) -> PipelineResource:
        """UpdatePipeline; another Name is another pipeline, and the old one is deleted. Tags stay
        as they are.
        """
        properties, name = cloudformation_json["Properties"], original_resource.physical_resource_id
        if properties.get("Name", name) != name:
            cls.delete_from_cloudformation_json(name, cloudformation_json, account_id, region_name)
            return cls.create_from_cloudformation_json(
                new_resource_name, cloudformation_json, account_id, region_name
            )
        with convert_refusals(cls.cloudformation_type(), name), current_world().lock:
            request = _build_request("UpdatePipeline", name, properties)
            original_resource.backend.update_pipeline(request["pipeline"])
            if str(properties.get("RestartExecutionOnUpdate")).lower() == "true":
                original_resource.backend.start_pipeline_execution({"name": name}, CALLER)
        return original_resource

    @classmethod
    def delete_from_cloudformation_json(
        cls,
        resource_name: str,
        cloudformation_json: dict[str, Any],
        account_id: str,
        region_name: str,
    ) -> None:
        with current_world().lock:
            _find_backend(account_id, region_name).delete_pipeline(resource_name)


def _build_request(operation: str, name: str, properties: Properties) -> dict[str, Any]:
    """The request that creates or updates the pipeline. DisableInboundStageTransitions is refused
    because the sandbox does not support it.
    """
    declared = {
        key: value
        for key, value in properties.items()
        if key not in ("Tags", "RestartExecutionOnUpdate", "ArtifactStores")
    }
    if "ArtifactStores" in properties:  # a list here, a map in the API
        declared["ArtifactStores"] = {
            store["Region"]: store["ArtifactStore"] for store in properties["ArtifactStores"]
        }
    members = {"Pipeline": {**declared, "Name": name}}
    if operation == "CreatePipeline" and "Tags" in properties:
        members["Tags"] = properties["Tags"]
    request = build_request("codepipeline", operation, members)
    limits.check_request(operation, request)
    return request


def _find_backend(account_id: str, region_name: str) -> CodePipelineBackend:
    backend = codepipeline_backends[account_id][region_name]
    if not isinstance(backend, CodePipelineBackend):
        raise TypeError(
            "this is moto's own CodePipeline: enter sandbox.install.installed() before its first "
            "use"
        )
    return backend
