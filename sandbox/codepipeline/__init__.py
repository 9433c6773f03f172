"""CodePipeline that runs: moto's service, extended by executions that move through stages, actions,
jobs and events.

with sandbox.world.enter_world(World(...)), sandbox.codepipeline.install():
    ...  # mock_aws or a moto server, boto3, the AWS CLI
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from moto.codepipeline import models as moto_models

from sandbox.codepipeline.models import CodePipelineBackend

PATCHED: tuple[str, ...] = (
    # replaced
    "moto.codepipeline.models.codepipeline_backends.backend",
    # relied on: moto finds our urls.py, and so our responses, beside the module of the backend's
    # class
    "moto.core.base_backend.BaseBackend._url_module",
    "moto.codepipeline.urls.url_bases",
    "moto.codepipeline.models.CodePipeline.add_default_values",
    "moto.codepipeline.models.CodePipelineBackend.create_pipeline",
    "moto.codepipeline.models.CodePipelineBackend.update_pipeline",
    "moto.codepipeline.models.CodePipelineBackend.delete_pipeline",
    "moto.codepipeline.responses.CodePipelineResponse.codepipeline_backend",
    "moto.core.responses.BaseResponse.call_action",
    "moto.core.responses.BaseResponse._get_action",
    "moto.core.responses.BaseResponse.get_access_key",
    "moto.core.utils.get_service_model",
    "moto.sts.models.STSBackend.get_assumed_role_from_access_key",
)
"""Dotted names of every moto internal that this package replaces or relies on."""


@contextmanager
def install() -> Iterator[None]:
    """Let moto make this package's backends instead of its own. Existing backends are dropped on
    entry and on exit.
    """
    backends = moto_models.codepipeline_backends
    stock = backends.backend
    backends.backend = CodePipelineBackend
    backends.clear()
    try:
        yield
    finally:
        backends.backend = stock
        backends.clear()
