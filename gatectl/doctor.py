"""`gatectl doctor`: is everything in place, and is nothing left behind?"""

from __future__ import annotations

from collections.abc import Sequence

import click
from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.errors import NoAnswer, NotPermitted, UnexpectedAnswer, error_code, translate_error
from gatectl.findings import examine, page
from gatectl.findings.facts import Facts
from gatectl.findings.finding import Call, Finding
from gatectl.findings.looks import GONE
from gatectl.findings.reading import Reading
from gatectl.session import AWS_REFUSED, FOUND, Interrupted, Place, Refused, options


@click.command()
@click.option("--mend", is_flag=True, help="Mend what can be mended safely; asks first for each.")
@click.option(
    "--yes",
    is_flag=True,
    help="With --mend: do not ask, except before a role's policy is changed: that is left then.",
)
@options
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
    reading = Reading(place)
    facts = reading.facts()
    findings = examine(facts)
    chosen = []
    for finding in findings:
        if not place.json:
            page.show(place, finding)
        if mend and finding.calls and _ask_to_mend(place, finding, yes=yes):
            chosen.append(finding)
    mended: list[Finding] = []
    if chosen:
        facts = _mend(place, reading, chosen, mended)
        findings = examine(facts)
        if not place.json:
            place.console.print("\nLooked again:\n")
            for finding in findings:
                page.show(place, finding)
    if place.json:
        place.show("", page.as_json(place, facts, findings, mended))
    else:
        page.show_rest(place, facts, findings)
    raise click.exceptions.Exit(_find_status(facts, findings))


def _find_status(facts: Facts, findings: Sequence[Finding]) -> int:
    if any(finding.severity != "note" for finding in findings):
        return FOUND
    return AWS_REFUSED if facts.unseen else 0


def _ask_to_mend(place: Place, finding: Finding, *, yes: bool) -> bool:
    if yes:
        return not finding.consent
    for document in page.policies(finding):
        place.console.print(
            f"The role's policy as it would be then:\n{document}", markup=False, soft_wrap=True
        )
    agreed = place.agreed(f"{finding.how.rstrip('.')}?")
    place.console.print()
    return agreed


def _mend(
    place: Place, reading: Reading, chosen: Sequence[Finding], mended: list[Finding]
) -> Facts:
    """Look again, and mend those of `chosen` that have not changed since somebody agreed; they go
    into `mended`. Returns the facts afterwards.
    """
    present = [_identify(finding) for finding in examine(reading.facts())]
    try:
        for finding in chosen:
            if _identify(finding) not in present:
                _print(place, f"{finding.where}: is not as it was any more. Nothing was done.")
            elif _make_calls(place, finding):
                _print(place, f"{finding.where}: done.")
                mended.append(finding)
                place.changed = (
                    f"Mended before that: {_join_places(mended)}. Look again with gatectl doctor."
                )
        return reading.facts()
    except KeyboardInterrupt:
        raise Interrupted(
            f"Stopped. Mended: {_join_places(mended) or 'nothing'}. What was under way may have "
            "taken effect: look again with gatectl doctor."
        ) from None


def _identify(finding: Finding) -> tuple[str, str, tuple[Call, ...]]:
    return finding.kind, finding.where, finding.calls


def _join_places(findings: Sequence[Finding]) -> str:
    return ", ".join(finding.where for finding in findings)


def _make_calls(place: Place, finding: Finding) -> bool:
    """Whether all calls that mend it have taken effect."""
    for call in finding.calls:
        action = f"{call.service}:{''.join(word.title() for word in call.operation.split('_'))}"
        try:
            answer = getattr(place.client(call.service), call.operation)(**call.parameters)
        except (ClientError, BotoCoreError) as error:
            if isinstance(error, ClientError) and error_code(error) in GONE:
                continue  # somebody else was quicker
            problem = translate_error(error, action)
            if not isinstance(problem, (NotPermitted, NoAnswer, UnexpectedAnswer)):
                raise
            _print(place, f"{finding.where}: not mended. {problem}.")
            return False
        if answer.get("FailedEntryCount"):
            # A call succeeds even if an entry failed (model: PutTargets, RemoveTargets).
            _print(place, f"{finding.where}: not mended. {action} did not take effect.")
            return False
    return True


def _print(place: Place, text: str) -> None:
    """On standard error if standard output is for a program."""
    (place.progress_console if place.json else place.console).print(
        text, markup=False, soft_wrap=True
    )
