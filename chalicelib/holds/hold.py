"""A hold: one held execution, and the EventBridge rule that is its memory."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple, Self

from chalicelib.errors import Misconfigured, RefusedInput
from chalicelib.holds.continuation import BY_TRIGGER
from chalicelib.holds.mode import DEFAULT, HoldMode, parse_rule_mode
from chalicelib.holds.schedule import Schedule
from chalicelib.phrases import shorten
from chalicelib.pipelines.dependency import Dependency, parse_entry
from chalicelib.pipelines.execution import ID, NAME, read_time

INPUT_LENGTH = 8192  # model: TargetInput
MAX_UPSTREAMS = 500
"""More than UserParameters of 1000 characters can name."""
COMMENT_LENGTH = 200
"""How many characters of a person's reason fit into the Input and the action's summary."""
MAX_NEIGHBORS = 4
"""How many further gates of one stage have their wait in the rule: as many as surely fit."""


class Restart(NamedTuple):
    """The `execution` that the retry has started in place of a held one, and how that is to be
    reported: `outcome` is the log's word.
    """

    execution: str
    outcome: str

    @classmethod
    def parse(cls, value: object) -> Self | None:
        """Read it from a rule's Input. Raises ValueError if it is invalid."""
        if value is None:
            return None
        execution, outcome = _parse_pair(value)
        return cls(execution, outcome)


@dataclass(frozen=True)
class Hold:
    """One execution that is waiting. `rule`: the name of the EventBridge rule that remembers it.
    `depends_on`: what it waits for. `since`: when it began to wait (aware UTC).

    `variables`: the execution's pipeline variables, if the gate knows them and they fit into the
    rule. `mode`: its hold mode. `revisions`: "latest" or "held", as in Parameters, or BY_TRIGGER;
    None in rules from before BY_TRIGGER. `give_up`: when the hold ends in any case (aware UTC), and
    `on_give_up`, "stop" or "continue", how. `job`: the job whose gate made it. `end_reported`: the
    end of this hold was logged, or the gate will log it; whatever removes the rule must not report
    it again.

    `released_by`: the ARN of the person who released it, so that it continues whatever its
    upstreams do. `canceled_by`: that of the person who canceled it, so that it ends and nothing is
    started. It is never both. `comment`: the reason that this person gave, if any.

    `schedule`: that of its rule. `made`: when a gate last wrote the rule (aware UTC). `restart`:
    what the retry has started in its place; the rule stays until AWS lists that execution.

    `gate`: the stage and the action (or the condition's rule) of the gate that holds, if AWS told
    them. `neighbors`: the waits of other gates of the same stage in this execution, which share the
    rule: each has its own beginning, deadline, release and cancellation.
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
    canceled_by: str | None = None
    comment: str | None = None
    job: str | None = None
    end_reported: bool = False
    schedule: Schedule | None = None
    made: datetime | None = None
    restart: Restart | None = None
    gate: tuple[str, str] | None = None
    neighbors: tuple[Hold, ...] = ()

    @classmethod
    def parse(cls, fields: Mapping[str, Any]) -> Self | None:
        """Read a rule's constant Input, as `as_input` wrote it. Returns None if a required field is
        missing or a value is invalid.
        """
        variables = fields.get("variables")
        canceled_by = _parse_name(fields.get("canceled_by"))
        released_by = None if canceled_by else _parse_name(fields.get("released_by"))
        comment = clean_comment(fields.get("comment")) if canceled_by or released_by else None
        try:
            hold = cls(
                rule=str(fields["rule"]),
                pipeline=str(fields["pipeline"]),
                execution=str(fields["execution"]),
                depends_on=tuple(map(parse_entry, fields["depends_on"])),
                since=read_time(fields["since"]),
                variables=None
                if variables is None
                else {str(name): str(value) for name, value in variables.items()},
                mode=parse_rule_mode(fields.get("mode", DEFAULT.name)),
                revisions=_parse_text(fields.get("revisions")),
                give_up=read_time(fields["give_up"]) if "give_up" in fields else None,
                on_give_up=str(fields.get("on_give_up", "stop")),
                released_by=released_by,
                canceled_by=canceled_by,
                comment=comment,
                job=_parse_text(fields.get("job")),
                end_reported=fields.get("end_reported") is True,
                schedule=Schedule.parse(fields.get("schedule")),
                made=read_time(fields["made"]) if "made" in fields else None,
                restart=Restart.parse(fields.get("restart")),
                gate=_parse_pair(fields["gate"]) if "gate" in fields else None,
                neighbors=tuple(
                    cls._parse_neighbor(fields, wait) for wait in fields.get("neighbors", ())
                ),
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
        if len(hold.neighbors) > MAX_NEIGHBORS:
            return None
        names_are_valid = re.fullmatch(NAME, hold.pipeline) and re.fullmatch(ID, hold.execution)
        words_are_valid = hold.on_give_up in ("stop", "continue") and hold.revisions in (
            None,
            "latest",
            "held",
            BY_TRIGGER,
        )
        return hold if names_are_valid and words_are_valid else None

    @classmethod
    def _parse_neighbor(cls, fields: Mapping[str, Any], wait: Mapping[str, Any]) -> Self:
        shared = {key: fields[key] for key in ("rule", "pipeline", "execution")}
        shared["comment"] = fields.get("comment")
        other = cls.parse({**shared, **wait, "neighbors": ()})
        if other is None:
            raise ValueError(f"{wait} is not a wait")
        return other

    def as_input(self) -> str:
        """Return all that the retry needs, as the rule's target keeps it."""
        fields = {
            "rule": self.rule,
            "pipeline": self.pipeline,
            "execution": self.execution,
            **self._build_wait_json(),
        }
        if self.schedule:
            fields["schedule"] = self.schedule.expression
        if self.made:
            fields["made"] = self.made.isoformat()
        if self.restart:
            fields["restart"] = self.restart
        if self.neighbors:
            fields["neighbors"] = [self._build_neighbor_json(wait) for wait in self.neighbors]
        with_variables = json.dumps({**fields, "variables": self.variables})
        # Variables can be larger than a target's Input may be (50 of 1000 characters; model:
        # PipelineVariableList): then the retry reads them.
        fits = self.variables is not None and len(with_variables) <= INPUT_LENGTH
        return with_variables if fits else json.dumps(fields)

    def _build_neighbor_json(self, wait: Hold) -> dict[str, object]:
        """Return a neighbor's wait. Its comment is left out if it is that of this wait: one command
        marks all waits of an execution, and five comments might not fit.
        """
        fields = wait._build_wait_json()
        if wait.comment == self.comment:
            fields.pop("comment", None)
        elif wait.comment is None:
            fields["comment"] = ""
        return fields

    def _build_wait_json(self) -> dict[str, object]:
        """Return what one gate's wait is, without whose it is."""
        optional = {
            "mode": None if self.mode == DEFAULT else self.mode.name,
            "revisions": self.revisions,
            "give_up": self.give_up and self.give_up.isoformat(),
            "on_give_up": None if self.on_give_up == "stop" else self.on_give_up,
            "released_by": self.released_by,
            "canceled_by": self.canceled_by,
            "comment": self.comment,
            "job": self.job,
            "end_reported": self.end_reported or None,
            "gate": self.gate,
        }
        return {
            "depends_on": [entry.build_json() for entry in self.depends_on],
            "since": self.since.isoformat(),
            **{key: value for key, value in optional.items() if value is not None},
        }

    @property
    def waits(self) -> tuple[Hold, ...]:
        """Every gate's wait that the rule stores, each without the neighbors."""
        return (replace(self, neighbors=()), *self.neighbors)

    def relative_to(self, region: str) -> Hold:
        """Return the hold with plain names for local pipelines: older gates stored their ARNs.

        `region` is the gate's own.
        """
        return replace(
            self,
            depends_on=tuple(entry.relative_to(region) for entry in self.depends_on),
            neighbors=tuple(wait.relative_to(region) for wait in self.neighbors),
        )

    def find_wait(
        self, gate: tuple[str, str] | None, depends_on: tuple[Dependency, ...]
    ) -> Hold | None:
        """Return the wait of `gate`, if this rule stores it.

        If AWS does not tell which gate it is, what it waits for does.
        """
        for wait in self.waits:
            if wait.gate == gate if wait.gate and gate else wait.depends_on == depends_on:
                return wait
        return None

    def put_first(self, wait: Hold) -> Hold:
        """Return the same waits, with `wait` as the one that the rule acts on."""
        neighbors = tuple(other for other in self.waits if other != replace(wait, neighbors=()))
        return replace(
            wait,
            variables=self.variables,
            schedule=self.schedule,
            made=self.made,
            restart=self.restart,
            neighbors=neighbors[:MAX_NEIGHBORS],
        )

    @property
    def restarted_as(self) -> str | None:
        """The execution that the retry has started in its place."""
        return self.restart.execution if self.restart else None

    def start_token(self) -> str:
        """Return the clientRequestToken of this hold's one start: every repeat of it is the same
        request ([a-zA-Z0-9-], up to 128; model).
        """
        return f"pipeline-gate-{self.execution}"

    def is_checked_on_schedule(self, now: datetime) -> bool:
        """Whether a firing at `now` (aware UTC) counts as one of the rule's schedule, which comes
        again. In the minute in which a gate wrote the rule, it is an event.
        """
        if self.schedule is None:
            return True
        made = self.made or self.since
        is_new = now.replace(second=0, microsecond=0) <= made
        return self.schedule.fires_in_minute_of(now) and not is_new

    def is_past_deadline(self, now: datetime) -> bool:
        return self.give_up is not None and now >= self.give_up

    def ends_anyway(self, now: datetime) -> bool:
        """Whether it ends whatever its upstreams do: a person released or canceled it, or its
        deadline has passed.
        """
        return self.marked_by is not None or self.is_past_deadline(now)

    @property
    def ends_by_stopping(self) -> bool:
        """Whether, if it `ends_anyway`, nothing is started."""
        return self.released_by is None and (
            self.canceled_by is not None or self.on_give_up == "stop"
        )

    @property
    def marked_by(self) -> str | None:
        """The person who released or canceled it."""
        return self.canceled_by or self.released_by

    def cancels_wait(self, since: datetime) -> bool:
        """Return whether a person canceled the wait that began at `since` (aware UTC).

        If its stage was retried after that, a new wait has begun, which stays.
        """
        return self.canceled_by is not None and self.since >= since


def refuse_too_many_upstreams(fields: Mapping[str, Any]) -> None:
    """Raise RefusedInput if an Input names more upstreams than a gate can have.

    Each would be read from AWS before the rule shows that the gate did not write it.
    """
    neighbors = fields.get("neighbors")
    waits = [fields, *(neighbors if isinstance(neighbors, list) else ())]
    lists = [wait.get("depends_on") for wait in waits if isinstance(wait, Mapping)]
    if len(waits) > MAX_NEIGHBORS + 1 or any(
        isinstance(entries, list) and len(entries) > MAX_UPSTREAMS for entries in lists
    ):
        raise RefusedInput(
            f"This event names more than {MAX_UPSTREAMS} upstreams, or too many waits, so no gate "
            "wrote it. Nothing was changed."
        )


def clean_comment(value: object) -> str | None:
    """Return a person's reason as it may be shown: one line of printable characters, cut off after
    COMMENT_LENGTH. Anything but a text that says something is None.
    """
    if not isinstance(value, str):
        return None
    line = " ".join("".join(map(_keep_printable, value)).split())
    return shorten(line, COMMENT_LENGTH) or None


def _keep_printable(character: str) -> str:
    # Surrogates, control characters and bidirectional marks are not printable.
    return character if character.isprintable() else " "


def _parse_name(value: object) -> str | None:
    """Return a name that is not empty; anything else names no person."""
    return value if isinstance(value, str) and value.strip() else None


def _parse_pair(value: object) -> tuple[str, str]:
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        raise ValueError(f"{value} is not a list of two")
    return str(value[0]), str(value[1])


def _parse_text(value: object) -> str | None:
    return None if value is None else str(value)
