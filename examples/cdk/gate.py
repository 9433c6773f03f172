"""The gate stage, for the pipelines of any CDK app: copy this file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aws_cdk import aws_codepipeline as codepipeline
from aws_cdk import aws_codepipeline_actions as actions
from aws_cdk import aws_lambda
from constructs import Construct


def gate_stage(
    scope: Construct,
    *,
    pipeline: str,
    depends_on: Sequence[str | Mapping[str, object]],
    bypass: codepipeline.Variable | None = None,
    options: Mapping[str, object] | None = None,
    deployed_as: str = "prod",
) -> codepipeline.StageProps:
    """The stage in which a pipeline waits until those that it depends on have finished. The
    pipeline's role gets the right to invoke the gate.

    Put the stage right after the source: a restarted execution then repeats only the source.

    `pipeline`: the name of the pipeline that gets the stage. `depends_on`: names, or objects as
    described in docs/parameters.md. `bypass`: a variable of the pipeline; an execution for which it
    is "true" passes without a check. `options`: other keys of docs/parameters.md, such as
    {"require": "succeeded"}. `deployed_as`: the stage of `chalice deploy --stage prod`, in this
    account and region.
    """
    parameters: dict[str, object] = {
        "depends_on": depends_on,
        "pipeline": pipeline,
        "execution": codepipeline.GlobalVariables.EXECUTION_ID,  # CodePipeline fills it in
        **({"bypass": bypass.reference()} if bypass else {}),
        **(options or {}),
    }
    gate = aws_lambda.Function.from_function_name(
        scope, f"{pipeline}-gate", f"pipeline-gate-{deployed_as}-gate"
    )
    wait = actions.LambdaInvokeAction(action_name="Wait", lambda_=gate, user_parameters=parameters)
    return codepipeline.StageProps(stage_name="Gate", actions=[wait])
