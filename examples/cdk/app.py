"""The CDK app. Each team sets its own values as context: in cdk.json, or with -c connection_arn=...
examples/README.md has the commands.
"""

from __future__ import annotations

import aws_cdk as cdk
from pipelines import Pipelines

app = cdk.App()


def read_context(key: str) -> str:
    """The value of a context key. Exits if it is not set."""
    value: str | None = app.node.try_get_context(key)
    if not value:
        raise SystemExit(
            f"{key} is not set: write it into the context in cdk.json, or add -c {key}=..."
        )
    return value


Pipelines(
    app,
    "Pipelines",
    gate_deployed_as=read_context("gate_stage"),
    connection_arn=read_context("connection_arn"),
    infra_repository=read_context("infra_repository"),
    k8s_repository=read_context("k8s_repository"),
    branch=read_context("branch"),
)
app.synth()
