"""What `gatectl history` has read and calculated, as plain data and as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from chalicelib.account.gates import Gate
from chalicelib.pipelines.execution import Execution
from gatectl.history.replay import ExecutionGroup, Policy, Replay


@dataclass(frozen=True)
class PipelinePast:
    """A pipeline and its `executions` (oldest first). A running execution was `updated` now.

    `label`: its name for people. `created`: when it was created, as far as AWS reports (aware UTC).
    `edited`: whether its structure has ever changed. `held`: how many other executions its own gate
    held, even if that gate has been removed; they did no work and are left out.
    """

    name: str
    label: str
    arn: str
    mode: str
    created: datetime
    gates: tuple[Gate, ...] = ()
    executions: tuple[Execution, ...] = ()
    held: int = 0
    edited: bool = False

    @property
    def region(self) -> str:
        return self.arn.split(":")[3]

    @property
    def account(self) -> str:
        return self.arn.split(":")[4]

    def list_since(self, moment: datetime) -> tuple[Execution, ...]:
        """Return the executions that ran since then. Of an upstream, older ones are read too."""
        return tuple(execution for execution in self.executions if execution.updated >= moment)


@dataclass(frozen=True)
class Report:
    """What `pipeline` did between `since` and `now` (aware UTC), and what a gate that waits for
    `upstreams` would have done. `leading_cautions`: those without which the figures mislead.
    """

    pipeline: PipelinePast
    upstreams: tuple[PipelinePast, ...]
    since: datetime
    now: datetime
    replay: Replay
    cautions: tuple[str, ...]
    leading_cautions: tuple[str, ...] = ()

    def to_json(self) -> dict[str, object]:
        """Return the object in `gatectl history --help`. Programs read it, so its keys stay."""
        replay = self.replay
        return {
            "pipeline": self.pipeline.label,
            "mode": self.pipeline.mode,
            "since": self.since,
            "until": self.now,
            "executions": _count_group(ExecutionGroup(replay.executions)),
            "overlapping": _count_group(replay.overlapping),
            "began_while_upstream_ran": _count_group(replay.preventable),
            "apart": _count_group(replay.apart),
            "upstreams": [
                {
                    "pipeline": upstream.label,
                    "arn": upstream.arn,
                    **_count_group(ExecutionGroup(upstream.list_since(self.since))),
                }
                for upstream in self.upstreams
            ],
            "policies": [_policy_to_json(policy) for policy in replay.policies],
            "overlaps": [
                {
                    **_execution_to_json(overlap.execution),
                    "upstreams": [
                        {"pipeline": label, **_execution_to_json(execution)}
                        for label, execution in overlap.pairs
                    ],
                }
                for overlap in replay.overlaps
            ],
            "warnings": [*self.leading_cautions, *self.cautions],
        }


def _policy_to_json(policy: Policy) -> dict[str, object]:
    seconds = [_round_to_seconds(wait) for wait in policy.waits]
    return {
        "require": policy.require,
        "held": len(policy.held),
        "still_held": policy.still_held,
        "median_seconds": _round_to_seconds(policy.median),
        "longest_seconds": max(seconds, default=0),
        "total_seconds": sum(seconds),
        "holds": [
            {
                "execution": hold.execution.id,
                "since": hold.execution.started,
                "until": hold.until if hold.released else None,
                "seconds": wait,
            }
            for hold, wait in zip(policy.held, seconds, strict=True)
        ],
        "ways": [
            {
                "hold": outcome.mode.name,
                "failed": outcome.failed,
                "go_on": len(outcome.continuing),
                "replaced": outcome.replaced,
                "waiting": outcome.waiting,
                "overlapping": outcome.overlapping,
                "executions": [hold.execution.id for hold in outcome.continuing],
            }
            for outcome in policy.outcomes
        ],
    }


def _count_group(group: ExecutionGroup) -> dict[str, object]:
    return {"count": len(group), "finished": group.finished, "failed": group.failed}


def _execution_to_json(execution: Execution) -> dict[str, object]:
    return {
        "execution": execution.id,
        "status": execution.status,
        "started": execution.started,
        "ended": None if execution.running else execution.updated,
    }


def _round_to_seconds(duration: timedelta) -> int:
    return round(duration.total_seconds())
