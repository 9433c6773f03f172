"""The CDK app. What differs from team to team is context: in cdk.json, or -c connection_arn=...
examples/README.md has the commands.
"""

from __future__ import annotations

import aws_cdk as cdk
from pipelines import Pipelines

app = cdk.App()


def context(key: str) -> str:
    value: str | None = app.node.try_get_context(key)
    if not value:
        raise SystemExit(
            f"{key} is not set: write it into the context in cdk.json, or add -c {key}=..."
        )
    return value


Pipelines(
    app,
    "Pipelines",
    gate=context("gate_stage"),
    connection_arn=context("connection_arn"),
    infra_repository=context("infra_repository"),
    k8s_repository=context("k8s_repository"),
    branch=context("branch"),
)
app.synth()
