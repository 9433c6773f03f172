"""`gatectl doctor`: is everything in place, and is nothing left behind?

reader.py reads the evidence from AWS (evidence.py). functions.py, function_roles.py,
pipeline_roles.py, pipelines.py and rules.py are pure functions of the evidence that return what is
wrong (finding.py).
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
@click.option("--mend", is_flag=True, help="Fix what can be fixed safely. Asks before each fix.")
@click.option(
    "--yes",
    is_flag=True,
    help="With --mend: do not ask, and leave the policies of roles unchanged.",
)
@add_options
def doctor(place: Place, *, mend: bool, yes: bool) -> None:
    """Check that everything is in place and nothing is left behind.

    Are the functions deployed, and can they run? May EventBridge invoke the retry function, and the
    pipelines' roles the gate function? Do the upstreams exist? Does each of the gate's rules keep a
    hold that will end? Each finding says what follows from it and how to fix it.

    It only reads, except with --mend, which changes nothing but resources named pipeline-gate-...
    and the policies of pipelines' roles.

    \b
    Exit status: 0  no errors or warnings
                 1  errors or warnings
                 254  no errors or warnings, but AWS denied a check
    """
    if yes and not mend:
        raise Refused("--yes needs --mend. Without --mend, nothing is changed.")
    if mend and place.json and not yes:
        raise Refused("--json cannot ask. Add --yes to fix all but the policies of roles.")
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
            place.console.print("\nChecked again:\n")
            for finding in findings:
                _show(place, finding)
    if place.json:
        place.show("", _as_json(place, evidence, findings, mended))
    else:
        for gap in evidence.unseen:
            text = f"{gap.why}. Problems with this are not reported."
            print_entry(place, ("not checked", "magenta"), gap.subject, text)
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


# Fixing


def _ask_to_mend(place: Place, finding: Finding, *, yes: bool) -> bool:
    if yes:
        return not finding.consent
    for call in finding.calls:
        if "PolicyDocument" in call.parameters:
            document = json.dumps(json.loads(call.parameters["PolicyDocument"]), indent=2)
            _print(place, f"The role's policy would become:\n{document}")
    agreed = place.confirm(finding.question or f"{finding.how.rstrip('.')}?")
    place.console.print()
    return agreed


def _mend(
    place: Place, reader: DoctorReader, chosen: Sequence[Finding], mended: list[Finding]
) -> DoctorEvidence:
    """Read the evidence again, fix the findings of `chosen` that have not changed since, and add
    them to `mended`. Return the evidence afterwards.
    """
    present = [_identify(finding) for finding in examine(reader.read_evidence())]
    for finding in chosen:
        _record(place, mended)
        if _identify(finding) not in present:
            _print(place, f"{finding.where}: this has changed meanwhile. Nothing was done.")
        elif _make_calls(place, finding):
            _print(place, f"{finding.where}: done.")
            mended.append(finding)
    _record(place, mended)
    return reader.read_evidence()


def _record(place: Place, mended: Sequence[Finding]) -> None:
    """Set what Ctrl-C prints from now on."""
    names = ", ".join(finding.where for finding in mended)
    place.changed = (
        f"Fixed: {names or 'nothing'}. The change in progress may have taken effect: check with "
        "gatectl doctor."
    )


def _identify(finding: Finding) -> tuple[str, str, tuple[AwsCommand, ...]]:
    return finding.kind, finding.where, finding.calls


def _make_calls(place: Place, finding: Finding) -> bool:
    """Make the calls that fix it. Return whether all of them have taken effect."""
    for call in finding.calls:
        try:
            _make_call(place, call)
        except NotFound:
            continue  # someone else has removed it
        except (NotPermitted, NoAnswer, UnexpectedAnswer) as error:
            _print(place, f"{finding.where}: not fixed. {error}.")
            return False
    return True


def _make_call(place: Place, call: AwsCommand) -> None:
    if call.action != "events:DeleteRule":
        call.run(place.client)
    elif not place.eventbridge.delete_emptied_rule(call.parameters["Name"]):
        raise UnexpectedAnswer(f"{call.action} answered ValidationException")


def _print(place: Place, text: str) -> None:
    """Print on standard error if standard output is for a program."""
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
    """Return the verdict, what to do, and what else to check."""
    where = f"{evidence.region}, account {evidence.account}"
    checks = "`gatectl check` also checks the gates in the pipelines' structures."
    if not findings:
        limits = ", as far as could be checked" if evidence.unseen else ""
        return f"No problems found in {where}{limits}: {_describe_installation(evidence)}. {checks}"
    counts = count_by_severity(findings)
    mendable = sum(1 for finding in findings if finding.calls)
    advice = ""
    if all(finding.severity == "note" for finding in findings):
        advice = " Notes do not need a fix."
    elif mendable:
        which = f"{'all' if mendable == len(findings) else mendable} of them"
        which = "it" if len(findings) == 1 else which
        advice = f" To fix {which}, run `gatectl doctor --mend`, which asks for confirmation."
    return f"{counts} in {where}.{advice} {checks}"


def _describe_installation(evidence: DoctorEvidence) -> str:
    stages = [deployed.stage for deployed in evidence.deployed or ()]
    gated = sum(1 for pipeline in (evidence.pipelines or {}).values() if pipeline.gates)
    held = len(evidence.list_held())
    return (
        f"the gate is deployed as {' and '.join(stages) or 'an unknown stage'}, "
        f"{gated or 'no'} {'pipeline has' if gated == 1 else 'pipelines have'} a gate, and "
        f"{held or 'no'} {'execution is' if held == 1 else 'executions are'} held"
    )


# For programs


def _as_json(
    place: Place,
    evidence: DoctorEvidence,
    findings: Sequence[Finding],
    mended: Sequence[Finding],
) -> dict[str, object]:
    """Return the findings and fixes. The keys are public."""
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
