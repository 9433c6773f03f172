"""A hold: one held execution, and the EventBridge rule that is its memory.

The rule is at once a schedule and a pattern (model: PutRule allows both), so a hold wakes up at the
end of an upstream and, should that event be lost, every few minutes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from chalicelib.errors import Misconfigured
from chalicelib.holds.mode import DEFAULT, HoldMode, parse_rule_mode
from chalicelib.pipelines import dependency
from chalicelib.pipelines.dependency import Dependency
from chalicelib.pipelines.execution import ID, NAME, read_time

INPUT_LENGTH = 8192  # model: TargetInput


@dataclass(frozen=True)
class Hold:
    """`execution` of `pipeline` is held by the rule `rule` until what it `depends_on` lets it go
    on; `since`: aware UTC.

    `variables`: the execution's pipeline variables, where the gate knows them and they fit into the
    rule. `mode`: "restart" or "retry", how it goes on; `revisions`: "latest", "held" or None, as
    Parameters has it. `give_up`: when the hold ends in any case (aware UTC), and `on_give_up`,
    "stop" or "continue", how. `released_by`: the ARN of a person who let it go, whatever its
    upstreams do.
    """

    rule: str
    pipeline: str
    execution: str
    depends_on: tuple[Dependency, ...]
    since: datetime
    variables: Mapping[str, str] | None = None
    mode: HoldMode = DEFAULT
    revisions: str | None = None
    give_up: datetime | None = None
    on_give_up: str = "stop"
    released_by: str | None = None

    @classmethod
    def parse(cls, given: Mapping[str, Any]) -> Self | None:
        """Read a rule's constant Input, `as_input` turned back; None where it holds less than a
        hold, or names what can be no pipeline.
        """
        try:
            hold = cls(
                rule=str(given["rule"]),
                pipeline=str(given["pipeline"]),
                execution=str(given["execution"]),
                depends_on=tuple(map(dependency.parse_entry, given["depends_on"])),
                since=read_time(given["since"]),
                variables={str(name): str(value) for name, value in given["variables"].items()}
                if "variables" in given
                else None,
                mode=parse_rule_mode(given.get("mode", DEFAULT.name)),
                revisions=str(given["revisions"]) if "revisions" in given else None,
                give_up=read_time(given["give_up"]) if "give_up" in given else None,
                on_give_up=str(given.get("on_give_up", "stop")),
                released_by=str(given["released_by"]) if "released_by" in given else None,
            )
        except (
            Misconfigured,
            AttributeError,
            KeyError,
            TypeError,
            ValueError,
            OverflowError,
            RecursionError,
        ):
            return None
        named = re.fullmatch(NAME, hold.pipeline) and re.fullmatch(ID, hold.execution)
        known = hold.on_give_up in ("stop", "continue") and hold.revisions in (
            None,
            "latest",
            "held",
        )
        return hold if named and known else None

    def as_input(self) -> str:
        """All that the retry needs, as the rule's target keeps it."""
        more = {
            "mode": None if self.mode == DEFAULT else self.mode.name,
            "revisions": self.revisions,
            "give_up": self.give_up and self.give_up.isoformat(),
            "on_give_up": None if self.on_give_up == "stop" else self.on_give_up,
            "released_by": self.released_by,
        }
        hold = {
            "rule": self.rule,
            "pipeline": self.pipeline,
            "execution": self.execution,
            "depends_on": [one.as_json() for one in self.depends_on],
            "since": self.since.isoformat(),
            **{key: value for key, value in more.items() if value is not None},
        }
        whole = json.dumps({**hold, "variables": self.variables})
        # Variables can be larger than a target's Input may be (50 of 1000 characters; model:
        # PipelineVariableList): then the retry asks.
        return json.dumps(hold) if self.variables is None or len(whole) > INPUT_LENGTH else whole

    def start_token(self) -> str:
        """The clientRequestToken of this hold's one start: every repeat of it is the same request
        ([a-zA-Z0-9-], up to 128; model).
        """
        return f"pipeline-gate-{self.execution}"

    def given_up(self, now: datetime) -> bool:
        return self.give_up is not None and now >= self.give_up

    def ends_anyway(self, now: datetime) -> bool:
        """Whether it ends whatever its upstreams do: a person let it go, or it has waited as long
        as it may.
        """
        return self.released_by is not None or self.given_up(now)

    @property
    def ends_by_stopping(self) -> bool:
        """Where it `ends_anyway`: nothing is started then."""
        return self.released_by is None and self.on_give_up == "stop"
