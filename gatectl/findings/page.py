"""How findings are shown: to people, and to programs."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Sequence

from rich.text import Text

from gatectl.findings.facts import Facts
from gatectl.findings.finding import SEVERITIES, Finding, pasted
from gatectl.session import Place

COLOURS = {"error": "red bold", "warning": "yellow bold", "note": "cyan"}
INDENT = "  "


def show_rest(place: Place, facts: Facts, found: Sequence[Finding]) -> None:
    """What could not be looked at, and the summary."""
    for unseen in facts.unseen:
        place.console.print(Text.assemble(("not looked at", "magenta"), f"  {unseen.what}"))
        _paragraph(place, f"{unseen.why}. Nothing is said about it here.")
        place.console.print()
    place.console.print(_summary(facts, found))


def show(place: Place, finding: Finding) -> None:
    place.console.print(
        Text.assemble((finding.severity, COLOURS[finding.severity]), f"  {finding.where}")
    )
    _paragraph(place, f"{finding.what} {finding.means}")
    _paragraph(place, f"{finding.how}{' (--mend does this)' if finding.calls else ''}")
    for command in finding.to_paste:
        # As one line, however wide the terminal is: so it can be pasted.
        place.console.print(
            f"{INDENT}{INDENT}{pasted(command, place.region, place.flags)}",
            style="bold",
            markup=False,
            soft_wrap=True,
        )
    place.console.print()


def _paragraph(place: Place, text: str) -> None:
    """Wrapped between words only, so that no ARN is torn apart."""
    wrapped = textwrap.fill(
        text,
        place.console.width,
        initial_indent=INDENT,
        subsequent_indent=INDENT,
        break_long_words=False,
        break_on_hyphens=False,
    )
    place.console.print(wrapped, markup=False, soft_wrap=True)


def _summary(facts: Facts, found: Sequence[Finding]) -> str:
    """One sentence or a few."""
    where = f"{facts.region}, account {facts.account}"
    checks = "`gatectl check` says what a hold would trip over in the pipelines themselves."
    if not found:
        all_of_it = (
            "All is well" if not facts.unseen else "Nothing is wrong, as far as could be looked,"
        )
        return f"{all_of_it} in {where}: {_there(facts)}. {checks}"
    counted = [
        f"{number} {severity}{'s' * (number > 1)}"
        for severity in SEVERITIES
        if (number := _count(found, severity))
    ]
    mends = sum(1 for one in found if one.calls)
    mend = (
        f" `gatectl doctor --mend` mends {'all' if mends == len(found) else mends} of them, and "
        "asks first."
        if mends
        else ""
    )
    if all(one.severity == "note" for one in found):
        mend = " Nothing needs mending." if not facts.unseen else " Nothing of that needs mending."
    return f"{', '.join(counted)} in {where}.{mend} {checks}"


def _count(found: Iterable[Finding], severity: str) -> int:
    return sum(1 for one in found if one.severity == severity)


def _there(facts: Facts) -> str:
    stages = [one.stage for one in facts.deployed or ()]
    gated = sum(1 for one in (facts.pipelines or {}).values() if one.gates)
    held = sum(1 for rule in facts.rules or () if rule.hold)
    deployed = f"the gate is deployed as {' and '.join(stages) or 'nothing'}"
    pipelines = f"{gated or 'no'} {'pipeline has' if gated == 1 else 'pipelines have'} it"
    return (
        f"{deployed}, {pipelines}, {held or 'no'} "
        f"{'execution is' if held == 1 else 'executions are'} held"
    )


def as_json(
    place: Place, facts: Facts, found: Sequence[Finding], mended: Sequence[Finding]
) -> dict[str, object]:
    """The keys stay as they are."""
    return {
        "region": facts.region,
        "account": facts.account,
        "findings": [
            {
                "kind": one.kind,
                "severity": one.severity,
                "where": one.where,
                "what": one.what,
                "means": one.means,
                "how": one.how,
                "commands": [
                    pasted(command, place.region, place.flags) for command in one.to_paste
                ],
                "mendable": bool(one.calls),
            }
            for one in found
        ],
        "not_looked_at": [{"what": one.what, "why": one.why} for one in facts.unseen],
        "mended": [{"kind": one.kind, "where": one.where} for one in mended],
    }


def policies(finding: Finding) -> list[str]:
    """The policy documents that its calls would write, for a person to read."""
    documents = [
        call.parameters["PolicyDocument"]
        for call in finding.calls
        if "PolicyDocument" in call.parameters
    ]
    return [json.dumps(json.loads(document), indent=2) for document in documents]
