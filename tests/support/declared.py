"""Pipelines as the account's reader parses them, without an account."""

from __future__ import annotations

from chalicelib.account.pipeline import AccountView, Pipeline
from sandbox.account import PIPELINE_ROLE
from tests.support.scene import gate_stage


def gated(
    name: str, parameters: object, *, stages: tuple[str, ...] = ("Source", "Gate", "Deploy")
) -> Pipeline:
    """A pipeline of these stages. "Gate" is its gate's, which asks that."""
    declared = [
        gate_stage(parameters) if stage == "Gate" else {"name": stage, "actions": []}
        for stage in stages
    ]
    return Pipeline.parse({"name": name, "roleArn": PIPELINE_ROLE, "stages": declared})


def ungated(name: str) -> Pipeline:
    return gated(name, None, stages=("Source", "Deploy"))


def view(*pipelines: Pipeline) -> AccountView:
    """An account in which nothing waits."""
    return AccountView({pipeline.name: pipeline for pipeline in pipelines}, (), ())
