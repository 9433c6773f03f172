"""What explain says, as plain data."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from chalicelib.pipelines.upstream import Upstream
from gatectl.doctor.finding import Words


@dataclass(frozen=True)
class Way:
    """What a person can do: `to` do what, by these commands or at this address."""

    to: str
    commands: tuple[Words, ...] = ()
    link: str = ""


@dataclass(frozen=True)
class Told:
    """Of one execution, or of the pipeline as a whole (`execution` None).

    `state`: a word for programs, which stays. `what`: how it stands; `why`: sentences, a paragraph
    each; `then`: what happens next.
    """

    state: str
    execution: str | None
    what: str
    why: tuple[str, ...] = ()
    then: str = ""
    can: tuple[Way, ...] = ()

    @property
    def sentences(self) -> Iterator[str]:
        yield from filter(None, (self.what, *self.why, self.then))


# What can be done, by the AWS CLI or gatectl


def release(pipeline: str, execution: str = "") -> Way:
    one = ("--execution", execution[:8]) if execution else ()
    return Way(
        "let it go on now all the same (its next execution waits again)",
        (("gatectl", "release", pipeline, *one),),
    )


def start(pipeline: str, to: str) -> Way:
    return Way(to, (starting(pipeline),))


def starting(pipeline: str) -> Words:
    return ("aws", "codepipeline", "start-pipeline-execution", "--name", pipeline)


def detach(pipeline: str) -> Way:
    return Way(
        "go on without the gate: take it out, and start it",
        (("gatectl", "detach", pipeline), starting(pipeline)),
    )


def mend() -> Way:
    return Way("mend that (it asks first)", (("gatectl", "doctor", "--mend"),))


def retry_stage(pipeline: str, stage: str, execution: str, to: str) -> Way:
    return Way(to, (retrying(pipeline, stage, execution),))


def retrying(pipeline: str, stage: str, execution: str) -> Words:
    words = (
        "aws",
        "codepipeline",
        "retry-stage-execution",
        "--pipeline-name",
        pipeline,
        "--stage-name",
        stage,
    )
    return (*words, "--pipeline-execution-id", execution, "--retry-mode", "FAILED_ACTIONS")


def stop(pipeline: str, execution: str) -> Way:
    words = (
        "aws",
        "codepipeline",
        "stop-pipeline-execution",
        "--pipeline-name",
        pipeline,
        "--pipeline-execution-id",
        execution,
    )
    return Way("stop it", ((*words, "--abandon"),))


def forget(rule: str) -> Way:
    remove, delete = (
        ("aws", "events", "remove-targets", "--rule", rule, "--ids", "retry"),
        ("aws", "events", "delete-rule", "--name", rule),
    )
    return Way("end the wait, and start nothing", (remove, delete))


def enable(pipeline: str, stage: str) -> Way:
    words = (
        "aws",
        "codepipeline",
        "enable-stage-transition",
        "--pipeline-name",
        pipeline,
        "--stage-name",
        stage,
    )
    return Way(
        f"open the way into the stage {stage} of {pipeline}",
        ((*words, "--transition-type", "Inbound"),),
    )


def log(stage: str, function: str) -> Way:
    return Way(
        f"read the {function}'s log, in the project's directory",
        (("chalice", "logs", "--stage", stage, "--name", function),),
    )


def doctor() -> Way:
    return Way("see what is wrong with functions, permissions or rules", (("gatectl", "doctor"),))


def check() -> Way:
    return Way("see what is wrong with gates, and what would be right", (("gatectl", "check"),))


def rights(text: str, account: str) -> Way:
    """Where the rights stand that AWS's words `text` say are missing; `account`: the gate's own."""
    elsewhere = "sts:AssumeRole" in text or set(re.findall(r"\b\d{12}\b", text)) - {account}
    page = "docs/elsewhere.md#the-role-in-the-other-account" if elsewhere else "docs/permissions.md"
    return Way("see which rights it needs, and whose they are", link=page)


def answer(upstream: Upstream, link: str) -> Way | None:
    """What a person has to do before an upstream goes on, if that is all that it waits for."""
    parked = next(
        (upstream.state.parked(one.id) for one in upstream.blocking if upstream.state), None
    )
    if parked is None:
        return None
    if parked.action is None:
        return enable(upstream.dependency.name, parked.stage)
    return Way(f"answer the approval {parked.action} of {upstream.label}", link=link)
