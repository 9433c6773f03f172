"""What `gatectl explain` prints, as plain data, and the commands that it offers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from chalicelib.pipelines.upstream import Upstream
from gatectl.doctor.finding import Words

NOTHING_TO_DO = "There is nothing to do."


@dataclass(frozen=True)
class Remedy:
    """What a person can do, by commands or at an address. `to`: what for, as in "To ...:"."""

    to: str
    commands: tuple[Words, ...] = ()
    link: str = ""


@dataclass(frozen=True)
class Statement:
    """About one execution, or about the whole pipeline (`execution` None).

    `state`: a word for programs, which stays. `reasons`: a paragraph each; `outlook`: what happens
    next. `is_fine`: nothing has to be done; the remedies are for people who cannot wait.
    """

    state: str
    headline: str
    reasons: tuple[str, ...] = ()
    outlook: str = ""
    remedies: tuple[Remedy, ...] = ()
    is_fine: bool = False
    execution: str | None = None

    @property
    def sentences(self) -> Iterator[str]:
        """The headline, and a paragraph each."""
        ending = " ".join(filter(None, (self.outlook, NOTHING_TO_DO if self.is_fine else "")))
        yield from filter(None, (self.headline, *self.reasons, ending))


# Commands of the AWS CLI


def build_start_command(pipeline: str) -> Words:
    return ("aws", "codepipeline", "start-pipeline-execution", "--name", pipeline)


def build_retry_command(pipeline: str, stage: str, execution: str) -> Words:
    return (
        *("aws", "codepipeline", "retry-stage-execution", "--pipeline-name", pipeline),
        *("--stage-name", stage, "--pipeline-execution-id", execution),
        *("--retry-mode", "FAILED_ACTIONS"),
    )


# What can be done


def offer_release(pipeline: str, execution: str = "") -> Remedy:
    option = ("--execution", execution[:8]) if execution else ()
    return Remedy(
        "let it go on now all the same (its next execution waits again)",
        (("gatectl", "release", pipeline, *option),),
    )


def offer_start(pipeline: str, to: str) -> Remedy:
    return Remedy(to, (build_start_command(pipeline),))


def offer_retry(pipeline: str, stage: str, execution: str, to: str) -> Remedy:
    return Remedy(to, (build_retry_command(pipeline, stage, execution),))


def offer_detach(pipeline: str) -> Remedy:
    return Remedy(
        "go on without the gate: take it out, and start it",
        (("gatectl", "detach", pipeline), build_start_command(pipeline)),
    )


MEND = Remedy("mend that (it asks first)", (("gatectl", "doctor", "--mend"),))
DOCTOR = Remedy("see what is wrong with functions, permissions or rules", (("gatectl", "doctor"),))
CHECK = Remedy("see what is wrong with gates, and what would be right", (("gatectl", "check"),))


def offer_stop(pipeline: str, execution: str) -> Remedy:
    words = ("aws", "codepipeline", "stop-pipeline-execution", "--pipeline-name", pipeline)
    return Remedy("stop it", ((*words, "--pipeline-execution-id", execution, "--abandon"),))


def offer_removal(rule: str) -> Remedy:
    remove = ("aws", "events", "remove-targets", "--rule", rule, "--ids", "retry")
    delete = ("aws", "events", "delete-rule", "--name", rule)
    return Remedy("end the wait, and start nothing", (remove, delete))


def offer_transition(pipeline: str, stage: str) -> Remedy:
    words = ("aws", "codepipeline", "enable-stage-transition", "--pipeline-name", pipeline)
    return Remedy(
        f"open the way into the stage {stage} of {pipeline}",
        ((*words, "--stage-name", stage, "--transition-type", "Inbound"),),
    )


def offer_log(stage: str, function: str) -> Remedy:
    return Remedy(
        f"read the {function}'s log, in the project's directory",
        (("chalice", "logs", "--stage", stage, "--name", function),),
    )


def offer_permissions(*, elsewhere: bool) -> Remedy:
    """`elsewhere`: AWS denied a call in another account."""
    page = "docs/elsewhere.md#the-role-in-the-other-account" if elsewhere else "docs/permissions.md"
    return Remedy("see which rights it needs, and whose they are", link=page)


def offer_answer(upstream: Upstream, link: str) -> Remedy | None:
    """What a person has to do before an upstream goes on, if it waits for nothing else."""
    if not upstream.state or not upstream.blocking:
        return None
    parked = upstream.state.find_parked(upstream.blocking[0].id)
    if parked is None:
        return None
    if parked.action is None:
        return offer_transition(upstream.dependency.name, parked.stage)
    return Remedy(f"answer the approval {parked.action} of {upstream.label}", link=link)
