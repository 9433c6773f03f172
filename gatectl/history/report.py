"""All that `gatectl history` has found, as plain data; and as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from chalicelib.pipelines.execution import Execution
from gatectl.history.findings import Findings, Group, Policy
from gatectl.history.reading import Past
from gatectl.history.spans import ENDLESS


@dataclass(frozen=True)
class Report:
    """What `pipeline` did between `since` and `now` (aware UTC), and what a gate that waits for
    `upstreams` would have done. `first`: the cautions without which the figures mislead.
    """

    pipeline: Past
    upstreams: tuple[Past, ...]
    since: datetime
    now: datetime
    findings: Findings
    cautions: tuple[str, ...]
    first: tuple[str, ...] = ()

    def as_json(self) -> dict[str, object]:
        """As `gatectl history --help` describes it. Programs read it: its keys stay."""
        found = self.findings
        return {
            "pipeline": self.pipeline.label,
            "mode": self.pipeline.mode,
            "since": self.since,
            "until": self.now,
            "executions": _group(Group(found.executions)),
            "overlapping": _group(found.overlapping),
            "began_while_upstream_ran": _group(found.preventable),
            "apart": _group(found.apart),
            "upstreams": [
                {"pipeline": one.label, "arn": one.arn, **_group(self._within(one))}
                for one in self.upstreams
            ],
            "policies": [self._policy(policy) for policy in found.policies],
            "overlaps": [
                {
                    **_execution(one.execution),
                    "upstreams": [
                        {"pipeline": label, **_execution(each)} for label, each in one.pairs
                    ],
                }
                for one in found.overlaps
            ],
            "warnings": [*self.first, *self.cautions],
        }

    def _within(self, past: Past) -> Group:
        """Of an upstream, those executions that ran in this time: older ones were read too."""
        return Group(tuple(one for one in past.executions if one.updated >= self.since))

    def _policy(self, policy: Policy) -> dict[str, object]:
        seconds = [_seconds(wait) for wait in policy.waits]
        return {
            "require": policy.require,
            "held": len(policy.held),
            "still_held": policy.still_held,
            "median_seconds": _seconds(policy.median),
            "longest_seconds": max(seconds, default=0),
            "total_seconds": sum(seconds),
            "holds": [
                {
                    "execution": one.execution.id,
                    "since": one.execution.started,
                    "until": _unless_endless(one.until),
                    "seconds": wait,
                }
                for one, wait in zip(policy.held, seconds, strict=True)
            ],
            "ways": [
                {
                    "hold": way.mode.name,
                    "failed": 0 if way.mode.stays_in_progress else len(policy.held),
                    "go_on": len(way.go_on),
                    "replaced": way.replaced,
                    "waiting": way.waiting,
                    "overlapping": way.overlapping,
                    "executions": [one.execution.id for one in way.go_on],
                }
                for way in policy.ways
            ],
        }


def _group(group: Group) -> dict[str, object]:
    return {"count": len(group), "finished": group.finished, "failed": group.failed}


def _execution(one: Execution) -> dict[str, object]:
    return {
        "execution": one.id,
        "status": one.status,
        "started": one.started,
        "ended": None if one.running else one.updated,
    }


def _seconds(duration: timedelta) -> int:
    return round(duration.total_seconds())


def _unless_endless(moment: datetime) -> datetime | None:
    return None if moment == ENDLESS else moment
