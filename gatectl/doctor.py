"""`gatectl doctor`: is everything in place, and is nothing left behind?"""

from __future__ import annotations

from collections.abc import Sequence

import click
from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.errors import NoAnswer, NotPermitted, UnexpectedAnswer, error_code, translate_error
from gatectl.findings import examine, page
from gatectl.findings.facts import Facts
from gatectl.findings.finding import Finding
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

    Are the functions deployed and able to run? May EventBridge invoke the retry, and the pipelines' roles the gate? Is there what the
    gates wait for? Does each rule of the gate's keep a hold that will end? Each finding says what it means and how to mend it.

    It only reads, but for --mend, which touches nothing that is not named pipeline-gate-..., except the policy of a pipeline's role.

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
    found = examine(facts)
    chosen = []
    for one in found:
        if not place.json:
            page.show(place, one)
        if mend and one.calls and _agreed(place, one, yes=yes):
            chosen.append(one)
    mended: list[Finding] = []
    if chosen:
        facts = _mend(place, reading, chosen, mended)
        found = examine(facts)
        if not place.json:
            place.console.print("\nLooked again:\n")
            for one in found:
                page.show(place, one)
    if place.json:
        place.show("", page.as_json(place, facts, found, mended))
    else:
        page.show_rest(place, facts, found)
    raise click.exceptions.Exit(_status(facts, found))


def _status(facts: Facts, found: Sequence[Finding]) -> int:
    if any(one.severity != "note" for one in found):
        return FOUND
    return AWS_REFUSED if facts.unseen else 0


def _agreed(place: Place, finding: Finding, *, yes: bool) -> bool:
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
    """Look once more, and mend those of `chosen` that are as they were when somebody agreed to it;
    those go into `mended`. Returns how it is afterwards.
    """
    now = examine(reading.facts())
    try:
        for one in chosen:
            if not any(
                (one.kind, one.where, one.calls) == (other.kind, other.where, other.calls)
                for other in now
            ):
                _say(place, f"{one.where}: is not as it was any more. Nothing was done.")
            elif _done(place, one):
                _say(place, f"{one.where}: done.")
                mended.append(one)
                place.changed = (
                    "Mended before that: "
                    f"{', '.join(one.where for one in mended)}. Look again with gatectl doctor."
                )
        return reading.facts()
    except KeyboardInterrupt:
        done = ", ".join(one.where for one in mended) or "nothing"
        raise Interrupted(
            f"Stopped. Mended: {done}. What was under way may have taken effect: look again with "
            "gatectl doctor."
        ) from None


def _done(place: Place, finding: Finding) -> bool:
    for call in finding.calls:
        action = f"{call.service}:{''.join(word.title() for word in call.operation.split('_'))}"
        try:
            answer = getattr(place.client(call.service), call.operation)(**call.parameters)
        except (ClientError, BotoCoreError) as error:
            if isinstance(error, ClientError) and error_code(error) in GONE:
                continue  # somebody was quicker
            told = translate_error(error, action)
            if not isinstance(told, (NotPermitted, NoAnswer, UnexpectedAnswer)):
                raise
            _say(place, f"{finding.where}: not mended. {told}.")
            return False
        if answer.get(
            "FailedEntryCount"
        ):  # the call itself succeeds although an entry failed (model: PutTargets, RemoveTargets)
            _say(place, f"{finding.where}: not mended. {action} did not take effect.")
            return False
    return True


def _say(place: Place, text: str) -> None:
    """On standard error, where standard output is for a program."""
    (place.progress_console if place.json else place.console).print(
        text, markup=False, soft_wrap=True
    )
