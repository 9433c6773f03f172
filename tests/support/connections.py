"""Sources that are repositories of a connection, and triggers with filters (model:
PipelineTriggerDeclaration).
"""

from __future__ import annotations

from typing import Any

from sandbox.account import ACCOUNT, REGION

REPOSITORY = "acme/shop"
CONNECTION_ARN = f"arn:aws:codeconnections:{REGION}:{ACCOUNT}:connection/c1"


def connection_source(name: str = "Source", **configuration: str) -> dict[str, Any]:
    """A source action that takes the branch main of REPOSITORY."""
    return {
        "name": name,
        "actionTypeId": {
            "category": "Source",
            "owner": "AWS",
            "provider": "CodeStarSourceConnection",
            "version": "1",
        },
        "namespace": name,
        "configuration": {
            "ConnectionArn": CONNECTION_ARN,
            "FullRepositoryId": REPOSITORY,
            "BranchName": "main",
            **configuration,
        },
        "outputArtifacts": [{"name": name.lower()}],
    }


def trigger(source: str = "Source", **filters: list[dict[str, Any]]) -> dict[str, Any]:
    """A trigger of a source action. `filters`: push and pullRequest."""
    return {
        "providerType": "CodeStarSourceConnection",
        "gitConfiguration": {"sourceActionName": source, **filters},
    }
