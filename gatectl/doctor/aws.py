"""Reads from Lambda and IAM. A call that AWS denies is not an error: the Inspector remembers what
could not be read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, TypeVar

from chalicelib.aws.iam import Iam, PolicyAnswer, PolicyQuestion
from chalicelib.aws.lambda_functions import LambdaFunctions
from chalicelib.errors import NoAnswer, NotFound, NotPermitted, PipelineNotFound
from chalicelib.phrases import join_names
from gatectl.doctor import pipeline_roles
from gatectl.doctor.evidence import DoctorEvidence, GateFunction, Unseen
from gatectl.functions import DeployedFunctions
from gatectl.unseen import group_by_reason

Value = TypeVar("Value")


class Inspector:
    """Makes calls that AWS may deny, and remembers what could not be read."""

    def __init__(self) -> None:
        self._unseen: dict[str, Unseen] = {}

    @property
    def unseen(self) -> tuple[Unseen, ...]:
        return tuple(self._unseen.values())

    def add_unseen_pipelines(self, unseen: Mapping[str, str]) -> None:
        """Remember pipelines that the caller may not read, with the reasons."""
        for why, names in group_by_reason(unseen).items():
            subject = f"the pipeline{'s' * (len(names) > 1)} {join_names(names)}"
            self._unseen.setdefault(subject, Unseen(subject, why))

    def inspect(
        self,
        subject: str,
        read: Callable[[], Value],
        missing: Value | None = None,
        *,
        or_unanswered: bool = False,
        function: str = "",
    ) -> Value | None:
        """Return what `read` returns, or `missing` if it does not exist. If AWS denies the call, or
        with `or_unanswered` does not answer, return None, and remember `subject` as unseen, with
        the `function` that it is about. Raises NoAnswer or UnexpectedAnswer otherwise.
        """
        try:
            return read()
        except (PipelineNotFound, NotFound):
            return missing
        except (NotPermitted, NoAnswer) as error:
            if isinstance(error, NoAnswer) and not or_unanswered:
                raise
            self._unseen.setdefault(subject, Unseen(subject, str(error), function))
            return None


def read_functions(
    functions: LambdaFunctions, inspector: Inspector, deployed: Iterable[DeployedFunctions]
) -> dict[str, GateFunction]:
    """Return the functions of `deployed` that exist, by name."""
    names = [
        name
        for deployment in deployed
        for name, exists in (
            (deployment.gate, deployment.has_gate),
            (deployment.retry, deployment.has_retry),
        )
        if exists
    ]
    existing = ((name, _read_function(functions, inspector, name)) for name in names)
    return {name: function for name, function in existing if function}


def _read_function(
    functions: LambdaFunctions, inspector: Inspector, name: str
) -> GateFunction | None:
    inspect = partial(inspector.inspect, function=name)
    settings = inspect(f"the configuration of {name}", partial(functions.read_settings, name))
    if settings is None:
        return None
    return GateFunction(
        **vars(settings),
        reserved=inspect(
            f"the concurrency of {name}", partial(functions.read_reserved_concurrency, name)
        ),
        statements=inspect(f"the policy of {name}", partial(functions.list_statements, name)),
    )


def read_sharing_regions(
    iam: Iam,
    connect: Callable[[str], LambdaFunctions],
    inspector: Inspector,
    evidence: DoctorEvidence,
) -> dict[str, tuple[str, ...]]:
    """Return the other regions in which a function of the same name uses the same role, by the
    function's name. `connect`: returns Lambda in a region.

    Only roles that Chalice has named are read. The regions that are checked are the one in which
    the role was last used, and those of the pipelines' upstreams: asking all regions would take a
    call to each.
    """
    upstreams = {arn.split(":")[3] for arn, stages in evidence.elsewhere.items() if stages}

    def uses_role(function: GateFunction, region: str) -> bool:
        settings = inspector.inspect(
            f"the configuration of {function.name} in {region}",
            lambda: connect(region).read_settings(function.name),
            or_unanswered=True,
        )
        return settings is not None and settings.role == function.role

    sharing = {}
    for function in evidence.functions.values():
        role = function.role.rpartition("/")[2]
        if role != function.name:
            continue
        last_region = inspector.inspect(
            f"where the role {role} was last used", partial(iam.read_last_region, role)
        )
        regions = {last_region or evidence.region, *upstreams} - {evidence.region}
        sharing[function.name] = tuple(
            region for region in sorted(regions) if uses_role(function, region)
        )
    return sharing


def read_policies(
    iam: Iam, inspector: Inspector, evidence: DoctorEvidence
) -> dict[tuple[str, str], Mapping[str, Any]]:
    """Return the inline policies that --mend would write, as DoctorEvidence has them."""
    policies = {
        (role, name): inspector.inspect(
            f"the policy {name} of the role {role}", partial(iam.read_inline_policy, role, name)
        )
        for role, name in pipeline_roles.list_policies(evidence)
    }
    return {key: document for key, document in policies.items() if document is not None}


def ask_iam(iam: Iam, inspector: Inspector, question: PolicyQuestion) -> PolicyAnswer | None:
    """Return what a role may do; None if the caller may not simulate policies."""
    subject = f"the permissions of the role {question.role.rpartition('/')[2]}"
    return inspector.inspect(subject, partial(iam.simulate, question))
