"""What `gatectl explain` prints, as plain data, and the commands that it offers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from chalicelib.pipelines.upstream import Upstream
from gatectl.doctor.finding import Words

NOTHING_TO_DO = "You do not need to do anything."


@dataclass(frozen=True)
class Remedy:
    """What a person can do: run commands, or open a link. `to`: completes "To ...:"."""

    to: str
    commands: tuple[Words, ...] = ()
    link: str = ""


@dataclass(frozen=True)
class Statement:
    """What to say about one execution, or about the whole pipeline (`execution` None). `state`: a
    word for programs, which never changes. `reasons`: one paragraph each. `outlook`: what happens
    next. `is_fine`: no one has to act, and the remedies are for people who cannot wait.
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
        """The headline, then the paragraphs."""
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


# Remedies


def offer_release(pipeline: str, execution: str = "") -> Remedy:
    option = ("--execution", execution[:8]) if execution else ()
    return Remedy(
        "continue now anyway (the next execution waits again)",
        (("gatectl", "release", pipeline, *option),),
    )


def offer_cancel(pipeline: str, execution: str = "") -> Remedy:
    option = ("--execution", execution[:8]) if execution else ()
    return Remedy("stop waiting and start nothing", (("gatectl", "cancel", pipeline, *option),))


def offer_start(pipeline: str, to: str) -> Remedy:
    return Remedy(to, (build_start_command(pipeline),))


def offer_retry(pipeline: str, stage: str, execution: str, to: str) -> Remedy:
    return Remedy(to, (build_retry_command(pipeline, stage, execution),))


def offer_detach(pipeline: str) -> Remedy:
    return Remedy(
        "continue without the gate: remove it, then start the pipeline",
        (("gatectl", "detach", pipeline), build_start_command(pipeline)),
    )


MEND = Remedy("fix this (asks for confirmation first)", (("gatectl", "doctor", "--mend"),))
DOCTOR = Remedy("check the functions, permissions and rules", (("gatectl", "doctor"),))
CHECK = Remedy("see what is wrong with the gates and how to correct it", (("gatectl", "check"),))


def offer_removal(rule: str) -> Remedy:
    remove = ("aws", "events", "remove-targets", "--rule", rule, "--ids", "retry")
    delete = ("aws", "events", "delete-rule", "--name", rule)
    return Remedy("stop waiting and start nothing", (remove, delete))


def offer_transition(pipeline: str, stage: str) -> Remedy:
    words = ("aws", "codepipeline", "enable-stage-transition", "--pipeline-name", pipeline)
    return Remedy(
        f"enable the transition into the stage {stage} of {pipeline}",
        ((*words, "--stage-name", stage, "--transition-type", "Inbound"),),
    )


def offer_log(stage: str, function: str) -> Remedy:
    return Remedy(
        f"read the {function} function's log (run this in the project's directory)",
        (("chalice", "logs", "--stage", stage, "--name", function),),
    )


def offer_permissions(*, elsewhere: bool) -> Remedy:
    """`elsewhere`: AWS denied a call in another account."""
    page = "docs/elsewhere.md#the-role-in-the-other-account" if elsewhere else "docs/permissions.md"
    return Remedy("see which permissions it needs, and which role needs them", link=page)


def offer_answer(upstream: Upstream, link: str) -> Remedy | None:
    """Return what a person has to do before an upstream continues, if it is parked."""
    if not upstream.state or not upstream.blocking:
        return None
    parked = upstream.state.find_parked(upstream.blocking[0].id)
    if parked is None:
        return None
    if parked.action is None:
        return offer_transition(upstream.dependency.name, parked.stage)
    return Remedy(f"respond to the approval {parked.action} of {upstream.label}", link=link)
