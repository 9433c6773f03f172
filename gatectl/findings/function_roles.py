"""May the functions' roles do what the functions do? That is .chalice/policy-gate.json and
policy-retry.json, as far as they are needed for the pipelines that are there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from chalicelib.account.gates import Gate
from chalicelib.phrases import join_names
from gatectl.findings.facts import Facts, Question, Refusal
from gatectl.findings.finding import Finding, deploy
from gatectl.functions import Deployed

ANY_EXECUTION = "00000000-0000-0000-0000-000000000000"
MANY = 50
"""So many resources are asked about at once."""

LOOK = ("codepipeline:ListPipelineExecutions", "codepipeline:GetPipelineState")
HELD = (
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


def questions(facts: Facts) -> list[Question]:
    return [
        one
        for deployed in facts.deployed or ()
        for asked in _of(facts, deployed).values()
        for one in asked
    ]


def findings(facts: Facts) -> Iterator[Finding]:
    for deployed in facts.deployed or ():
        for function, asked in _of(facts, deployed).items():
            yield from _function(facts, function, deployed.stage, asked)


def _of(facts: Facts, deployed: Deployed) -> Mapping[str, list[Question]]:
    needs: dict[str, list[Question]] = {}
    for name, ask in ((deployed.gate, _gate_needs), (deployed.retry, _retry_needs)):
        function = facts.functions.get(name)
        if function:
            log = f"arn:{facts.partition}:logs:{facts.region}:{facts.account}:log-group:/aws/lambda/{name}:log-stream:any"
            asked = [
                *ask(facts, deployed.stage),
                *_both_need(facts, deployed.stage, function.environment),
                (LOG, [log]),
            ]
            needs[name] = [
                Question(
                    function.role,
                    actions,
                    tuple(resources[start : start + MANY]),
                    _context(facts, deployed.stage),
                )
                for actions, resources in asked
                for start in range(0, len(resources), MANY)
            ]
    return needs


def _context(facts: Facts, stage: str) -> tuple[tuple[str, str], ...]:
    """The condition keys of the two policies, as the functions' own calls have them."""
    return (
        ("events:TargetArn", facts.deployment(stage).retry_arn),
        ("events:source", "pipeline-gate"),
        ("lambda:Principal", "events.amazonaws.com"),
    )


def _gate_needs(facts: Facts, stage: str) -> Iterator[Need]:
    yield LOOK, _upstreams(facts, stage)
    yield ("codepipeline:GetPipelineExecution",), _own(facts, stage)
    yield ("codepipeline:PutJobSuccessResult", "codepipeline:PutJobFailureResult"), ["*"]
    yield ("events:PutRule", "events:PutTargets", "events:ListTargetsByRule"), [_rule(facts, stage)]
    yield ("lambda:AddPermission",), [facts.deployment(stage).retry_arn]


def _retry_needs(facts: Facts, stage: str) -> Iterator[Need]:
    yield LOOK, _upstreams(facts, stage)
    yield HELD, _own(facts, stage)
    yield ("codepipeline:RetryStageExecution",), _own_stages(facts, stage)
    yield (
        ("events:ListTargetsByRule", "events:RemoveTargets", "events:DeleteRule"),
        [_rule(facts, stage)],
    )
    yield ("events:ListRules", "events:ListRuleNamesByTarget"), ["*"]


def _both_need(facts: Facts, stage: str, environment: Mapping[str, str]) -> Iterator[Need]:
    bus = environment.get("EVENT_BUS", "")
    if bus:
        arn = (
            bus
            if bus.startswith("arn:")
            else f"arn:{facts.partition}:events:{facts.region}:{facts.account}:event-bus/{bus}"
        )
        yield ("events:PutEvents",), [arn]
    roles = sorted(
        {
            one.role_arn
            for gate in _gates(facts, stage)
            if gate.parameters
            for one in gate.parameters.depends_on
            if one.role_arn
        }
    )
    yield ("sts:AssumeRole",), roles


def _gates(facts: Facts, stage: str) -> list[Gate]:
    return [
        gate for one in facts.gated_by(stage) for gate in one.gates if gate.deployed_as == stage
    ]


def _upstreams(facts: Facts, stage: str) -> list[str]:
    wanted = [
        one
        for gate in _gates(facts, stage)
        if gate.parameters
        for one in gate.parameters.depends_on
        if not one.role_arn
    ]
    return sorted(
        {
            _pipeline(facts, one.name, one.region)
            for one in wanted
            if one.account in (None, facts.account)
        }
    )


def _own(facts: Facts, stage: str) -> list[str]:
    return [_pipeline(facts, one.name) for one in facts.gated_by(stage)]


def _own_stages(facts: Facts, stage: str) -> list[str]:
    gates = {
        (one.name, gate.stage)
        for one in facts.gated_by(stage)
        for gate in one.gates
        if gate.deployed_as == stage
    }
    return [f"{_pipeline(facts, pipeline)}/{name}" for pipeline, name in sorted(gates)]


def _pipeline(facts: Facts, name: str, region: str | None = None) -> str:
    return f"arn:{facts.partition}:codepipeline:{region or facts.region}:{facts.account}:{name}"


def _rule(facts: Facts, stage: str) -> str:
    return f"arn:{facts.partition}:events:{facts.region}:{facts.account}:rule/{facts.deployment(stage).rule_prefix}{ANY_EXECUTION}"


def _function(facts: Facts, function: str, stage: str, asked: list[Question]) -> Iterator[Finding]:
    role, answers = (
        facts.functions[function].role,
        [facts.answers[one] for one in asked if one in facts.answers],
    )
    where = f"role {role.rpartition('/')[2]} of function {function}"
    what_for = (
        "Gate actions fail, or hang for 20 minutes."
        if function.endswith("-gate")
        else "Holds do not end, or not as they should."
    )
    how, again = "Deploy it anew, which writes the role's policy.", (deploy(stage),)
    if any(one.no_role for one in answers):
        yield Finding("no-role", "error", where, "There is no such role.", what_for, how, again)
        return
    refused = [refusal for answer in answers for refusal in answer.refused]
    certain = [one for one in refused if not one.unknown]
    if certain:
        only_log = all(one.action in LOG for one in certain)
        everything = len(certain) == sum(len(one.actions) * len(one.resources) for one in asked)
        yield Finding(
            "function-role",
            "warning" if only_log else "error",
            where,
            "It may do nothing of what the function does."
            if everything
            else f"It may not do {_calls(certain)}.",
            "It cannot write its log." if only_log else what_for,
            f"{how}{_forbidden(certain)}",
            again,
        )
    yield from depends(where, [one for one in refused if one.unknown])


def _calls(refused: list[Refusal]) -> str:
    """Each action with one of its resources, and what forbids it where that is known."""
    first: dict[str, Refusal] = {}
    for one in refused:
        first.setdefault(one.action, one)
    return join_names(
        [
            f"{action} on {_short(one.resource)}{f' ({one.by})' if one.by else ''}"
            for action, one in first.items()
        ]
    )


def _short(resource: str) -> str:
    """An ARN without its first five parts: "k8s", "rule/pipeline-gate-...", "*"."""
    return resource.split(":", 5)[-1]


def _forbidden(refused: list[Refusal]) -> str:
    return (
        " What another policy forbids, whoever made that has to allow."
        if any(one.by for one in refused)
        else ""
    )


def depends(where: str, unknown: list[Refusal]) -> Iterator[Finding]:
    if unknown:
        keys = join_names(sorted({key for one in unknown for key in one.unknown}))
        yield Finding(
            "role-depends",
            "note",
            where,
            f"Whether it may do {_calls(unknown)} depends on {keys}, which only a real call has.",
            "From here it cannot be told.",
            "Look whether the condition in the role's policies is met.",
        )
