"""`gatectl doctor`: is everything in place, and is nothing left behind?

reader.py asks AWS for the evidence (evidence.py). functions.py, function_roles.py,
pipeline_roles.py, pipelines.py and rules.py say, as pure functions of the evidence, what is wrong
(finding.py).
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import click

from chalicelib.aws.command import AwsCommand
from chalicelib.errors import NoAnswer, NotFound, NotPermitted, UnexpectedAnswer
from gatectl.doctor import function_roles, functions, pipeline_roles, pipelines, rules
from gatectl.doctor.evidence import DoctorEvidence
from gatectl.doctor.finding import (
    COLOURS,
    SEVERITIES,
    Finding,
    count_by_severity,
    format_command,
    print_entry,
)
from gatectl.doctor.reader import DoctorReader
from gatectl.session import AWS_REFUSED, FAULTS_FOUND, Place, Refused, add_options

SUBJECTS = (functions, function_roles, pipeline_roles, pipelines, rules)


@click.command()
@click.option("--mend", is_flag=True, help="Mend what can be mended safely; asks first for each.")
@click.option(
    "--yes",
    is_flag=True,
    help="With --mend: do not ask, except before a role's policy is changed: that is left then.",
)
@add_options
def doctor(place: Place, *, mend: bool, yes: bool) -> None:
    """Look whether everything is in place, and nothing left behind.

    Are the functions deployed and able to run? May EventBridge invoke the retry, and the pipelines'
    roles the gate? Is there what the gates wait for? Does each rule of the gate's keep a hold that
    will end? Each finding says what it means and how to mend it.

    It only reads, but for --mend, which touches nothing that is not named pipeline-gate-..., except
    the policy of a pipeline's role.

    \b
    Exit status: 0  all is well; notes do not count
                 1  errors or warnings
                 254  none of these, but AWS denied a look at something
    """
    if yes and not mend:
        raise Refused("--yes goes with --mend, which is not there: without it nothing is changed.")
    if mend and place.json and not yes:
        raise Refused("With --json nobody can be asked: add --yes to mend what needs no asking.")
    reader = DoctorReader(place)
    evidence = reader.read_evidence()
    findings = examine(evidence)
    chosen = []
    for finding in findings:
        if not place.json:
            _show(place, finding)
        if mend and finding.calls and _ask_to_mend(place, finding, yes=yes):
            chosen.append(finding)
    mended: list[Finding] = []
    if chosen:
        evidence = _mend(place, reader, chosen, mended)
        findings = examine(evidence)
        if not place.json:
            place.console.print("\nLooked again:\n")
            for finding in findings:
                _show(place, finding)
    if place.json:
        place.show("", _as_json(place, evidence, findings, mended))
    else:
        for gap in evidence.unseen:
            text = f"{gap.why}. Nothing is said about it here."
            print_entry(place, ("not looked at", "magenta"), gap.subject, text)
        place.console.print(summarize(evidence, findings))
    raise click.exceptions.Exit(_find_status(evidence, findings))


def examine(evidence: DoctorEvidence) -> list[Finding]:
    """Return everything that is wrong, the worst first."""
    findings = [finding for subject in SUBJECTS for finding in subject.findings(evidence)]
    return sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))


def _find_status(evidence: DoctorEvidence, findings: Sequence[Finding]) -> int:
    if any(finding.severity != "note" for finding in findings):
        return FAULTS_FOUND
    return AWS_REFUSED if evidence.unseen else 0


# Mending


def _ask_to_mend(place: Place, finding: Finding, *, yes: bool) -> bool:
    if yes:
        return not finding.consent
    for call in finding.calls:
        if "PolicyDocument" in call.parameters:
            document = json.dumps(json.loads(call.parameters["PolicyDocument"]), indent=2)
            _print(place, f"The role's policy as it would be then:\n{document}")
    agreed = place.confirm(f"{finding.how.rstrip('.')}?")
    place.console.print()
    return agreed


def _mend(
    place: Place, reader: DoctorReader, chosen: Sequence[Finding], mended: list[Finding]
) -> DoctorEvidence:
    """Look again, and mend those of `chosen` that have not changed since somebody agreed; they go
    into `mended`. Returns the evidence afterwards.
    """
    present = [_identify(finding) for finding in examine(reader.read_evidence())]
    for finding in chosen:
        _record(place, mended)
        if _identify(finding) not in present:
            _print(place, f"{finding.where}: is not as it was any more. Nothing was done.")
        elif _make_calls(place, finding):
            _print(place, f"{finding.where}: done.")
            mended.append(finding)
    _record(place, mended)
    return reader.read_evidence()


def _record(place: Place, mended: Sequence[Finding]) -> None:
    """What Ctrl-C prints from now on."""
    names = ", ".join(finding.where for finding in mended)
    place.changed = (
        f"Mended: {names or 'nothing'}. What was under way may have taken effect: look again with "
        "gatectl doctor."
    )


def _identify(finding: Finding) -> tuple[str, str, tuple[AwsCommand, ...]]:
    return finding.kind, finding.where, finding.calls


def _make_calls(place: Place, finding: Finding) -> bool:
    """Whether all calls that mend it have taken effect."""
    for call in finding.calls:
        try:
            call.run(place.client)
        except NotFound:
            continue  # somebody else was quicker
        except (NotPermitted, NoAnswer, UnexpectedAnswer) as error:
            _print(place, f"{finding.where}: not mended. {error}.")
            return False
    return True


def _print(place: Place, text: str) -> None:
    """On standard error if standard output is for a program."""
    console = place.progress_console if place.json else place.console
    console.print(text, markup=False, soft_wrap=True)


# For people


def _show(place: Place, finding: Finding) -> None:
    print_entry(
        place,
        (finding.severity, COLOURS[finding.severity]),
        finding.where,
        f"{finding.problem} {finding.means}",
        f"{finding.how}{' (--mend does this)' if finding.calls else ''}",
        commands=finding.to_paste,
    )


def summarize(evidence: DoctorEvidence, findings: Sequence[Finding]) -> str:
    """One sentence or a few."""
    where = f"{evidence.region}, account {evidence.account}"
    checks = "`gatectl check` says what a hold would trip over in the pipelines themselves."
    if not findings:
        verdict = (
            "Nothing is wrong, as far as could be looked," if evidence.unseen else "All is well"
        )
        return f"{verdict} in {where}: {_describe_installation(evidence)}. {checks}"
    counts = count_by_severity(findings)
    mendable = sum(1 for finding in findings if finding.calls)
    how_many = "all" if mendable == len(findings) else mendable
    advice = ""
    if all(finding.severity == "note" for finding in findings):
        advice = f" Nothing {'of that needs' if evidence.unseen else 'needs'} mending."
    elif mendable:
        advice = f" `gatectl doctor --mend` mends {how_many} of them, and asks first."
    return f"{counts} in {where}.{advice} {checks}"


def _describe_installation(evidence: DoctorEvidence) -> str:
    stages = [deployed.stage for deployed in evidence.deployed or ()]
    gated = sum(1 for pipeline in (evidence.pipelines or {}).values() if pipeline.gates)
    held = len(evidence.list_held())
    return (
        f"the gate is deployed as {' and '.join(stages) or 'nothing'}, "
        f"{gated or 'no'} {'pipeline has' if gated == 1 else 'pipelines have'} it, "
        f"{held or 'no'} {'execution is' if held == 1 else 'executions are'} held"
    )


# For programs


def _as_json(
    place: Place,
    evidence: DoctorEvidence,
    findings: Sequence[Finding],
    mended: Sequence[Finding],
) -> dict[str, object]:
    """The keys never change."""
    return {
        "region": evidence.region,
        "account": evidence.account,
        "findings": [
            {
                "kind": finding.kind,
                "severity": finding.severity,
                "where": finding.where,
                "what": finding.problem,
                "means": finding.means,
                "how": finding.how,
                "commands": [
                    format_command(command, place.region, place.flags)
                    for command in finding.to_paste
                ],
                "mendable": bool(finding.calls),
            }
            for finding in findings
        ],
        "not_looked_at": [{"what": gap.subject, "why": gap.why} for gap in evidence.unseen],
        "mended": [{"kind": finding.kind, "where": finding.where} for finding in mended],
    }
