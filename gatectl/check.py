"""`gatectl check`: what is wrong with the gates in the pipelines' structures, for people and for
CI.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import IO, Any

import click
from botocore.exceptions import BotoCoreError
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from chalicelib.account.gates import Gate, is_local
from chalicelib.account.pipeline import Pipeline, list_unseen_pipelines
from chalicelib.account.reader import AccountReader
from chalicelib.phrases import join_names
from chalicelib.pipelines.dependency import Dependency
from gatectl.findings.facts import Facts
from gatectl.findings.finding import SEVERITIES, Finding
from gatectl.findings.looks import Looks
from gatectl.findings.page import COLOURS
from gatectl.functions import deployed
from gatectl.lint import lint
from gatectl.session import AWS_REFUSED, FOUND, Place, Refused, options
from gatectl.wording import number


@click.command()
@click.option(
    "--file",
    "files",
    type=click.File("rb"),
    multiple=True,
    help="Check this structure, as `aws codepipeline get-pipeline` prints it, and ask AWS "
    "nothing. Several: again. -: standard input. "
    "Which ARNs are the files' own, --region tells.",
)
@click.option("--strict", is_flag=True, help="Let warnings count as errors do.")
@click.option(
    "--lines", is_flag=True, help="One line for each finding, as CI logs and editors like it."
)
@options
def check(place: Place, files: tuple[IO[bytes], ...], *, strict: bool, lines: bool) -> None:
    """Check the gates of all pipelines, without running them.

    Would each gate take what it is asked? Is there what it waits for, and the function that it names? Do pipelines wait for each other,
    and can that end? What would a hold trip over in a pipeline?

    `gatectl doctor` looks at the rest: functions, permissions and rules.

    \b
    Examples: gatectl check --strict --lines
              gatectl check --file infra.json --file k8s.json

    \b
    Exit status: 0  nothing is found; notes do not count, nor do warnings, but for --strict
                 1  errors, or with --strict warnings
                 254  none of these, but AWS denied a look at something
    """
    facts, aside = _from_files(files, _region_set(place)) if files else (_from_aws(place), ())
    where = "these files" if files else facts.region
    place.unfold()
    found = lint(facts)
    if lines and not place.json:
        for line in _lines(facts, found, aside):
            place.console.print(line, markup=False, soft_wrap=True)
    else:
        place.show(_page(facts, found, where, aside), _as_json(facts, found, aside))
    counted = [
        one for one in found if one.severity == "error" or (strict and one.severity == "warning")
    ]
    raise click.exceptions.Exit(FOUND if counted else AWS_REFUSED if facts.unseen else 0)


# What is checked


def _from_aws(place: Place) -> Facts:
    looks = Looks()
    with place.progress("reading pipelines") as progress:
        pipelines = AccountReader(place.client).read_pipelines(progress)
    looks.aside(list_unseen_pipelines(pipelines))
    functions = looks.at(
        "which functions are deployed", "lambda:ListFunctions", lambda: tuple(deployed(place))
    )
    facts = Facts(
        datetime.now(UTC),
        place.links.partition,
        place.region,
        _account(pipelines),
        functions,
        pipelines=pipelines,
    )
    elsewhere = {one.pipeline: _stages(place, looks, one) for one in _elsewhere(facts)}
    return replace(
        facts,
        elsewhere={arn: stages for arn, stages in elsewhere.items() if stages is not None},
        unseen=looks.unseen,
    )


def _elsewhere(facts: Facts) -> list[Dependency]:
    """The upstreams in other regions of this account."""
    wanted = {
        one.pipeline: one
        for pipeline in (facts.pipelines or {}).values()
        for one in pipeline.depends_on
    }
    return [
        one
        for one in wanted.values()
        if one.account == facts.account and one.region != facts.region and not one.role_arn
    ]


def _stages(place: Place, looks: Looks, wanted: Dependency) -> tuple[str, ...] | None:
    """Its stages' names, none where there is no such pipeline; None where that cannot be seen."""
    ask = partial(place.client("codepipeline", wanted.region).get_pipeline, name=wanted.name)
    nothing: Mapping[str, Any] = {"pipeline": {"stages": []}}
    answer = looks.at(
        f"the pipeline {wanted.pipeline}",
        "codepipeline:GetPipeline",
        ask,
        nothing,
        or_unanswered=True,
    )
    return (
        None if answer is None else tuple(stage["name"] for stage in answer["pipeline"]["stages"])
    )


def _account(pipelines: Mapping[str, Pipeline]) -> str:
    """As the pipelines' roles tell it; "" where none does."""
    parts = [pipeline.role.split(":") for pipeline in pipelines.values()]
    return next((part[4] for part in parts if len(part) > 5), "")


def _region_set(place: Place) -> str:
    """The region that is given or set, "" where there is none: files can be checked without."""
    try:
        return place.region
    except BotoCoreError:
        return ""


def _from_files(files: Iterable[IO[bytes]], region: str) -> tuple[Facts, tuple[str, ...]]:
    """The facts, and the upstreams that no file has: whether those are there, nobody looks.
    `region`: the files' own, "" for unknown.
    """
    pipelines: dict[str, Pipeline] = {}
    for file in files:
        pipeline = _read(file)
        if pipeline.name in pipelines:
            raise Refused(
                f"{file.name}: another file has the pipeline {pipeline.name}, too. Leave one of "
                "them out."
            )
        pipelines[pipeline.name] = pipeline
    account = _account(pipelines)

    def own(wanted: Dependency) -> bool:
        return is_local(wanted, region) and wanted.account in (None, account)

    def in_files(wanted: Dependency) -> bool:
        return own(wanted) and wanted.name in pipelines

    def judged(wanted: Dependency) -> bool:
        """Of one elsewhere, whether the gate takes it: but for that, the account must be known."""
        return in_files(wanted) or (bool(account) and not own(wanted))

    aside = dict.fromkeys(
        one.label
        for pipeline in pipelines.values()
        for one in pipeline.depends_on
        if not in_files(one)
    )
    checked = {
        name: replace(one, gates=tuple(_only(gate, judged) for gate in one.gates))
        for name, one in pipelines.items()
    }
    return Facts(datetime.now(UTC), "aws", region, account, pipelines=checked), tuple(aside)


def _only(gate: Gate, judged: Callable[[Dependency], bool]) -> Gate:
    if gate.parameters is None:
        return gate
    return replace(
        gate,
        parameters=replace(
            gate.parameters, depends_on=tuple(filter(judged, gate.parameters.depends_on))
        ),
    )


def _read(file: IO[bytes]) -> Pipeline:
    right = "Right is what `aws codepipeline get-pipeline --name NAME` prints."
    try:
        whole = json.load(file)
        return Pipeline.parse({"roleArn": "", **whole.get("pipeline", whole)})
    except ValueError as error:
        raise Refused(f"{file.name} is not valid JSON ({error}). {right}") from None
    except (KeyError, TypeError, AttributeError):
        raise Refused(
            f"{file.name} is no pipeline's structure: name, stages or their actions are missing. "
            f"{right}"
        ) from None


# What is said


def _text(finding: Finding) -> str:
    return " ".join(filter(None, [finding.what, finding.means, finding.how]))


def _lines(facts: Facts, found: Sequence[Finding], aside: Sequence[str]) -> list[str]:
    return [
        *(f"{one.severity}: {one.where}: {_text(one)} [{one.kind}]" for one in found),
        *(f"not looked at: {left.what}: {left.why}." for left in facts.unseen),
        *([f"not looked at: {_no_file_tells(aside)}"] if aside else []),
    ]


def _page(
    facts: Facts, found: Sequence[Finding], where: str, aside: Sequence[str]
) -> RenderableType:
    parts: list[RenderableType] = []
    for one in found:
        parts += _part((one.severity, COLOURS[one.severity]), one.where, _text(one))
    for left in facts.unseen:
        parts += _part(("not looked at", "magenta"), left.what, f"{left.why}.")
    return Group(
        *parts, Text(_summary(facts, found, where) + (f" {_no_file_tells(aside)}" if aside else ""))
    )


def _part(what: tuple[str, str], where: str, text: str) -> list[RenderableType]:
    return [
        Text.assemble(what, f"  {where}"),
        Padding(Text(text), (0, 0, 0, 2), expand=False),
        Text(),
    ]


def _summary(facts: Facts, found: Sequence[Finding], where: str) -> str:
    gated = sum(1 for one in (facts.pipelines or {}).values() if one.gates)
    counts = Counter(one.severity for one in found)
    told = ", ".join(
        number(counts[severity], severity) for severity in SEVERITIES if counts[severity]
    )
    if not (gated or told or facts.unseen):
        return f"No pipeline in {where} has a gate, so there is nothing to check."
    nothing = f"Nothing is wrong{', as far as could be looked' if facts.unseen else ''}"
    return f"{told or nothing}: {number(gated, 'gated pipeline')} in {where}."


def _no_file_tells(aside: Sequence[str]) -> str:
    return f"Whether there is {join_names(list(aside))}, no file tells."


def _as_json(facts: Facts, found: Sequence[Finding], aside: Sequence[str]) -> dict[str, object]:
    """The keys stay as they are."""
    return {
        "region": facts.region or None,
        "gated": sorted(name for name, one in (facts.pipelines or {}).items() if one.gates),
        "findings": [
            {"kind": one.kind, "severity": one.severity, "where": one.where, "text": _text(one)}
            for one in found
        ],
        "not_looked_at": [{"what": one.what, "why": one.why} for one in facts.unseen],
        "not_in_files": aside,
    }
