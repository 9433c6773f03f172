"""The pipelines that are waiting for another one now."""

from __future__ import annotations

from datetime import UTC, datetime

from chalicelib.account.gates import is_local
from chalicelib.account.pipeline import AccountView
from chalicelib.account.reader import AccountReader
from chalicelib.account.waits import Wait
from chalicelib.errors import NoAnswer, NotPermitted, UnexpectedAnswer
from chalicelib.pipelines.dependency import Dependency
from gatectl.session import Place


def list_dependents(place: Place, pipeline: str) -> list[str]:
    """Return the pipelines of this region and account that are waiting for `pipeline`; none if AWS
    denies reading that, because no command depends on it.
    """
    try:
        with place.show_progress("reading which pipelines are waiting") as progress:
            view = AccountReader(place.client).read_view(datetime.now(UTC), progress)
    except (NotPermitted, NoAnswer, UnexpectedAnswer):
        return []
    return find_dependents(view, pipeline, place.region)


def find_dependents(view: AccountView, pipeline: str, region: str) -> list[str]:
    """Return the pipelines in `view` that are waiting for `pipeline`, by name."""
    holds = {rule.name: rule.hold for rule in view.rules}

    def list_dependencies(wait: Wait) -> tuple[Dependency, ...]:
        if hold := holds.get(wait.rule or ""):
            return hold.depends_on
        parameters = [gate.parameters for gate in wait.gates if gate.parameters]
        return tuple(dependency for each in parameters for dependency in each.depends_on)

    def waits(wait: Wait) -> bool:
        return wait.may_stand and any(
            dependency.name == pipeline
            and is_local(dependency, region)
            and {dependency.label, dependency.relative_to(region).label} & {*wait.depends_on}
            for dependency in list_dependencies(wait)
        )

    return sorted({wait.pipeline for wait in filter(waits, view.waits)})
