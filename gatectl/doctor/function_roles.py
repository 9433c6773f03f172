"""Do the functions' roles allow the calls that the functions make (.chalice/policy-*.json)?"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from chalicelib.aws.iam import PolicyQuestion, Refusal
from chalicelib.phrases import join_names
from gatectl.doctor.evidence import DoctorEvidence, GateFunction
from gatectl.doctor.finding import Finding, build_deploy_command
from gatectl.functions import DeployedFunctions

ANY_EXECUTION = "00000000-0000-0000-0000-000000000000"
MAX_RESOURCES = 50
"""In one call of SimulatePrincipalPolicy."""

READS = ("codepipeline:ListPipelineExecutions", "codepipeline:GetPipelineState")
RESTARTS = (
    "codepipeline:StartPipelineExecution",
    "codepipeline:ListPipelineExecutions",
    "codepipeline:ListActionExecutions",
    "codepipeline:ListRuleExecutions",
    "codepipeline:GetPipelineExecution",
    "codepipeline:GetPipeline",
)
RULE_CALLS = (
    "events:ListTargetsByRule",
    "events:PutTargets",
    "events:RemoveTargets",
    "events:DeleteRule",
)
LOG = ("logs:CreateLogStream", "logs:PutLogEvents")


Need = tuple[tuple[str, ...], list[str]]
"""Each of these actions on each of these resources."""


def list_questions(evidence: DoctorEvidence) -> list[PolicyQuestion]:
    return [
        question
        for deployed in evidence.deployed or ()
        for function in _list_functions(evidence, deployed)
        for question in _list_questions_about(evidence, deployed, function)
    ]


def findings(evidence: DoctorEvidence) -> Iterator[Finding]:
    for deployed in evidence.deployed or ():
        for function in _list_functions(evidence, deployed):
            questions = _list_questions_about(evidence, deployed, function)
            yield from _check_role(evidence, function, deployed, questions)
        yield from _find_shared_roles(evidence, deployed)


def _find_shared_roles(evidence: DoctorEvidence, deployed: DeployedFunctions) -> Iterator[Finding]:
    """Chalice names a role after app, stage and function, and IAM is the same in all regions."""
    regions = {
        function.name: evidence.sharing_regions.get(function.name, ())
        for function in _list_functions(evidence, deployed)
    }
    elsewhere = sorted({region for names in regions.values() for region in names})
    if elsewhere:
        roles = [name for name, shared in regions.items() if shared]
        yield Finding(
            "shared-role",
            "warning",
            f"stage {deployed.stage}",
            f"It is also deployed in {join_names(elsewhere)}, with the same "
            f"role{'s' * (len(roles) > 1)}: {join_names(roles)}.",
            "`chalice delete` in one region deletes the roles, and the functions in the others can "
            "no longer make any call.",
            "Give each region a stage of its own, such as prod-euw1 (docs/deploy.md). Until then, "
            "do not run chalice delete.",
        )


def _list_functions(evidence: DoctorEvidence, deployed: DeployedFunctions) -> list[GateFunction]:
    names = (deployed.gate, deployed.retry)
    return [evidence.functions[name] for name in names if name in evidence.functions]


def _list_questions_about(
    evidence: DoctorEvidence, deployed: DeployedFunctions, function: GateFunction
) -> list[PolicyQuestion]:
    # The values of the two policies' condition keys in the functions' own calls.
    context = (
        ("events:TargetArn", evidence.deployment(deployed.stage).retry_arn),
        ("events:source", "pipeline-gate"),
        ("lambda:Principal", "events.amazonaws.com"),
    )
    return [
        PolicyQuestion(
            function.role, actions, tuple(resources[start : start + MAX_RESOURCES]), context
        )
        for actions, resources in _list_needs(evidence, deployed, function)
        for start in range(0, len(resources), MAX_RESOURCES)
    ]


def _list_needs(
    evidence: DoctorEvidence, deployed: DeployedFunctions, function: GateFunction
) -> Iterator[Need]:
    """Return what the gate function or retry function of a deployment has to be allowed."""
    deployment = evidence.deployment(deployed.stage)
    gated = evidence.list_gated(deployed.stage)
    gates = [
        (pipeline.name, gate)
        for pipeline in gated
        for gate in pipeline.gates
        if gate.deployed_as == deployed.stage
    ]
    dependencies = [
        dependency
        for _, gate in gates
        if gate.parameters
        for dependency in gate.parameters.depends_on
    ]
    name_pipeline = partial(evidence.name_resource, "codepipeline")
    upstreams = {
        name_pipeline(dependency.name, dependency.region)
        for dependency in dependencies
        if not dependency.role_arn and dependency.account in (None, evidence.account)
    }
    pipelines = [name_pipeline(pipeline.name) for pipeline in gated]
    stages = {f"{name_pipeline(pipeline)}/{gate.stage}" for pipeline, gate in gates}
    rules = [evidence.name_resource("events", f"rule/{deployment.rule_prefix}{ANY_EXECUTION}")]
    yield READS, sorted(upstreams)
    if function.name == deployed.gate:
        yield ("codepipeline:GetPipelineExecution",), pipelines
        yield ("codepipeline:PutJobSuccessResult", "codepipeline:PutJobFailureResult"), ["*"]
        yield ("events:PutRule", "events:PutTargets", "events:ListTargetsByRule"), rules
        yield ("lambda:AddPermission",), [deployment.retry_arn]
    else:
        yield RESTARTS, pipelines
        yield ("codepipeline:RetryStageExecution",), sorted(stages)
        yield RULE_CALLS, rules
        yield ("events:ListRules", "events:ListRuleNamesByTarget"), ["*"]
    if bus := function.event_bus:
        is_arn = bus.startswith("arn:")
        arn = bus if is_arn else evidence.name_resource("events", f"event-bus/{bus}")
        yield ("events:PutEvents",), [arn]
    roles = {dependency.role_arn for dependency in dependencies if dependency.role_arn}
    yield ("sts:AssumeRole",), sorted(roles)
    log = f"log-group:/aws/lambda/{function.name}:log-stream:any"
    yield LOG, [evidence.name_resource("logs", log)]


# The answers


def _check_role(
    evidence: DoctorEvidence,
    function: GateFunction,
    deployed: DeployedFunctions,
    questions: list[PolicyQuestion],
) -> Iterator[Finding]:
    answers = [evidence.answers[each] for each in questions if each in evidence.answers]
    where = f"role {function.role.rpartition('/')[2]} of function {function.name}"
    means = (
        "Gate actions fail, or hang for 20 minutes."
        if function.name == deployed.gate
        else "Holds do not end, or do not end as they should."
    )
    how = "Deploy again, which writes the role's policy."
    again = (build_deploy_command(deployed.stage),)
    if any(answer.no_role for answer in answers):
        yield Finding("no-role", "error", where, "This role does not exist.", means, how, again)
        return
    refusals = [refusal for answer in answers for refusal in answer.refused]
    certain = [refusal for refusal in refusals if not refusal.unknown]
    if certain:
        only_log = all(refusal.action in LOG for refusal in certain)
        everything = len(certain) == sum(len(q.actions) * len(q.resources) for q in questions)
        is_forbidden = any(refusal.by for refusal in certain)
        yield Finding(
            "function-role",
            "warning" if only_log else "error",
            where,
            "It allows none of the calls that the function makes."
            if everything
            else f"It does not allow {_join_calls(certain)}.",
            "The function cannot write its log." if only_log else means,
            how + " If another policy forbids a call, its owner has to allow it." * is_forbidden,
            again,
        )
    yield from find_unknown(where, [refusal for refusal in refusals if refusal.unknown])


def _join_calls(refusals: list[Refusal]) -> str:
    """Return each action with one of its resources, and what forbids it if that is known."""
    first: dict[str, Refusal] = {}
    for refusal in refusals:
        first.setdefault(refusal.action, refusal)
    return join_names(
        [
            f"{action} on {_shorten(refusal.resource)}{f' ({refusal.by})' if refusal.by else ''}"
            for action, refusal in first.items()
        ]
    )


def _shorten(resource: str) -> str:
    """Return an ARN without its first five parts: "k8s", "rule/pipeline-gate-...", "*"."""
    return resource.split(":", 5)[-1]


def find_unknown(where: str, unknown: list[Refusal]) -> Iterator[Finding]:
    """Report the refusals that may differ in a real call."""
    if unknown:
        keys = join_names(sorted({key for refusal in unknown for key in refusal.unknown}))
        calls = _join_calls(unknown)
        yield Finding(
            "role-depends",
            "note",
            where,
            f"Whether it allows {calls} depends on {keys} in a real call.",
            "The doctor cannot check this.",
            "Check whether the conditions in the role's policies are met.",
        )
