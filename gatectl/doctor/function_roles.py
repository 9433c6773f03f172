"""May the functions' roles do what the functions do? That is .chalice/policy-gate.json and
policy-retry.json, as far as the existing pipelines need them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from chalicelib.account.gates import Gate
from chalicelib.aws.iam import PolicyQuestion, Refusal
from chalicelib.phrases import join_names
from chalicelib.pipelines.dependency import Dependency
from gatectl.doctor.evidence import DoctorEvidence
from gatectl.doctor.finding import Finding, build_deploy_command
from gatectl.functions import DeployedFunctions

ANY_EXECUTION = "00000000-0000-0000-0000-000000000000"
MAX_RESOURCES = 50
"""In one question."""

READS = ("codepipeline:ListPipelineExecutions", "codepipeline:GetPipelineState")
RESTARTS = (
    "codepipeline:StartPipelineExecution",
    "codepipeline:ListPipelineExecutions",
    "codepipeline:ListActionExecutions",
    "codepipeline:ListRuleExecutions",
    "codepipeline:GetPipelineExecution",
    "codepipeline:GetPipeline",
)
LOG = ("logs:CreateLogStream", "logs:PutLogEvents")


Need = tuple[tuple[str, ...], list[str]]
"""Each of these actions on each of these resources."""


def list_questions(evidence: DoctorEvidence) -> list[PolicyQuestion]:
    return [
        question
        for deployed in evidence.deployed or ()
        for questions in _list_questions_by_function(evidence, deployed).values()
        for question in questions
    ]


def findings(evidence: DoctorEvidence) -> Iterator[Finding]:
    for deployed in evidence.deployed or ():
        for function, questions in _list_questions_by_function(evidence, deployed).items():
            yield from _check_role(evidence, function, deployed.stage, questions)


def _list_questions_by_function(
    evidence: DoctorEvidence, deployed: DeployedFunctions
) -> Mapping[str, list[PolicyQuestion]]:
    questions: dict[str, list[PolicyQuestion]] = {}
    for name, list_needs in (
        (deployed.gate, _list_gate_needs),
        (deployed.retry, _list_retry_needs),
    ):
        function = evidence.functions.get(name)
        if function:
            log = f"log-group:/aws/lambda/{name}:log-stream:any"
            needs = [
                *list_needs(evidence, deployed.stage),
                *_list_common_needs(evidence, deployed.stage, function.event_bus),
                (LOG, [_name_resource(evidence, "logs", log)]),
            ]
            context = _build_context(evidence, deployed.stage)
            questions[name] = [
                PolicyQuestion(
                    function.role,
                    actions,
                    tuple(resources[start : start + MAX_RESOURCES]),
                    context,
                )
                for actions, resources in needs
                for start in range(0, len(resources), MAX_RESOURCES)
            ]
    return questions


def _build_context(evidence: DoctorEvidence, stage: str) -> tuple[tuple[str, str], ...]:
    """The condition keys of the two policies, as the functions' own calls have them."""
    return (
        ("events:TargetArn", evidence.deployment(stage).retry_arn),
        ("events:source", "pipeline-gate"),
        ("lambda:Principal", "events.amazonaws.com"),
    )


def _list_gate_needs(evidence: DoctorEvidence, stage: str) -> Iterator[Need]:
    yield READS, _list_upstreams(evidence, stage)
    yield ("codepipeline:GetPipelineExecution",), _list_gated_pipelines(evidence, stage)
    yield ("codepipeline:PutJobSuccessResult", "codepipeline:PutJobFailureResult"), ["*"]
    yield (
        ("events:PutRule", "events:PutTargets", "events:ListTargetsByRule"),
        [_name_any_rule(evidence, stage)],
    )
    yield ("lambda:AddPermission",), [evidence.deployment(stage).retry_arn]


def _list_retry_needs(evidence: DoctorEvidence, stage: str) -> Iterator[Need]:
    yield READS, _list_upstreams(evidence, stage)
    yield RESTARTS, _list_gated_pipelines(evidence, stage)
    yield ("codepipeline:RetryStageExecution",), _list_gated_stages(evidence, stage)
    yield (
        (
            "events:ListTargetsByRule",
            "events:PutTargets",
            "events:RemoveTargets",
            "events:DeleteRule",
        ),
        [_name_any_rule(evidence, stage)],
    )
    yield ("events:ListRules", "events:ListRuleNamesByTarget"), ["*"]


def _list_common_needs(evidence: DoctorEvidence, stage: str, bus: str) -> Iterator[Need]:
    if bus:
        is_arn = bus.startswith("arn:")
        arn = bus if is_arn else _name_resource(evidence, "events", f"event-bus/{bus}")
        yield ("events:PutEvents",), [arn]
    dependencies = _list_dependencies(evidence, stage)
    roles = {dependency.role_arn for dependency in dependencies if dependency.role_arn}
    yield ("sts:AssumeRole",), sorted(roles)


# The resources


def _list_gates(evidence: DoctorEvidence, stage: str) -> list[tuple[str, Gate]]:
    """The gates of a deployment, each with its pipeline's name."""
    return [
        (pipeline.name, gate)
        for pipeline in evidence.list_gated(stage)
        for gate in pipeline.gates
        if gate.deployed_as == stage
    ]


def _list_dependencies(evidence: DoctorEvidence, stage: str) -> list[Dependency]:
    return [
        dependency
        for _, gate in _list_gates(evidence, stage)
        if gate.parameters
        for dependency in gate.parameters.depends_on
    ]


def _list_upstreams(evidence: DoctorEvidence, stage: str) -> list[str]:
    upstreams = {
        _name_pipeline(evidence, dependency.name, dependency.region)
        for dependency in _list_dependencies(evidence, stage)
        if not dependency.role_arn and dependency.account in (None, evidence.account)
    }
    return sorted(upstreams)


def _list_gated_pipelines(evidence: DoctorEvidence, stage: str) -> list[str]:
    return [_name_pipeline(evidence, pipeline.name) for pipeline in evidence.list_gated(stage)]


def _list_gated_stages(evidence: DoctorEvidence, stage: str) -> list[str]:
    gated = {(pipeline, gate.stage) for pipeline, gate in _list_gates(evidence, stage)}
    return [f"{_name_pipeline(evidence, pipeline)}/{name}" for pipeline, name in sorted(gated)]


def _name_pipeline(evidence: DoctorEvidence, name: str, region: str | None = None) -> str:
    return _name_resource(evidence, "codepipeline", name, region)


def _name_any_rule(evidence: DoctorEvidence, stage: str) -> str:
    rule = f"{evidence.deployment(stage).rule_prefix}{ANY_EXECUTION}"
    return _name_resource(evidence, "events", f"rule/{rule}")


def _name_resource(
    evidence: DoctorEvidence, service: str, resource: str, region: str | None = None
) -> str:
    place = f"{region or evidence.region}:{evidence.account}"
    return f"arn:{evidence.partition}:{service}:{place}:{resource}"


# The answers


def _check_role(
    evidence: DoctorEvidence, function: str, stage: str, questions: list[PolicyQuestion]
) -> Iterator[Finding]:
    role = evidence.functions[function].role
    answers = [evidence.answers[each] for each in questions if each in evidence.answers]
    where = f"role {role.rpartition('/')[2]} of function {function}"
    is_gate = function == evidence.deployment(stage).gate_function
    means = (
        "Gate actions fail, or hang for 20 minutes."
        if is_gate
        else "Holds do not end, or not as they should."
    )
    how, again = "Deploy it anew, which writes the role's policy.", (build_deploy_command(stage),)
    if any(answer.no_role for answer in answers):
        yield Finding("no-role", "error", where, "There is no such role.", means, how, again)
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
            "It may do nothing of what the function does."
            if everything
            else f"It may not do {_join_calls(certain)}.",
            "It cannot write its log." if only_log else means,
            how + " What another policy forbids, whoever made that has to allow." * is_forbidden,
            again,
        )
    yield from find_unknown(where, [refusal for refusal in refusals if refusal.unknown])


def _join_calls(refusals: list[Refusal]) -> str:
    """Each action with one of its resources, and what forbids it if that is known."""
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
    """An ARN without its first five parts: "k8s", "rule/pipeline-gate-...", "*"."""
    return resource.split(":", 5)[-1]


def find_unknown(where: str, unknown: list[Refusal]) -> Iterator[Finding]:
    """What is said of refusals that depend on a real call."""
    if unknown:
        keys = join_names(sorted({key for refusal in unknown for key in refusal.unknown}))
        calls = _join_calls(unknown)
        yield Finding(
            "role-depends",
            "note",
            where,
            f"Whether it may do {calls} depends on {keys}, which only a real call has.",
            "From here it cannot be told.",
            "Look whether the condition in the role's policies is met.",
        )
