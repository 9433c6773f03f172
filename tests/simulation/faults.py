"""The faults of a run: which calls fail and how, and what happens to deliveries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from sandbox.clock import utcnow
from sandbox.world import Dials

OPERATIONS = {
    "ListPipelineExecutions": 3,
    "GetPipelineExecution": 1,
    "ListActionExecutions": 1,
    "ListRuleExecutions": 1,
    "GetPipelineState": 2,
    "GetJobDetails": 1,
    "PutJobSuccessResult": 2,
    "PutJobFailureResult": 4,
    "StartPipelineExecution": 6,
    "RetryStageExecution": 4,
    "PutRule": 3,
    "PutTargets": 5,
    "ListTargetsByRule": 2,
    "RemoveTargets": 5,
    "DeleteRule": 2,
    "AddPermission": 1,
}
"""The calls that single faults are aimed at, and how often."""

PASSING = (
    "throttled",
    "broken",
    "unavailable",
    "unreachable",
    "unheard",
    "reset",
    "dies before",
    "dies after",
)
"""Faults after which a repeated call may succeed."""
PERMANENT = ("denied", "unsigned", "odd")
"""Faults after which a gate may fail the job: it does not have to repeat the call."""
ANY_CALL = (*PASSING, *PERMANENT)
NOT_REPEATED = (
    *("dies before", "dies after", *PERMANENT, "modified", "full", "in part"),
    *("conflict", "crowded", "updating"),
)
"""Faults after which botocore does not repeat the call, so that one has an effect."""
SPECIAL = {
    "PutRule": ("modified", "full"),
    "PutTargets": ("modified", "in part"),
    "RemoveTargets": ("modified", "in part"),
    "DeleteRule": ("modified",),
    "StartPipelineExecution": ("conflict",),
    "RetryStageExecution": ("crowded",),
    "AddPermission": ("updating",),
    "PutEvents": ("in part",),
}
FAR_OPERATIONS = {
    "AssumeRole": 3,
    "PutEvents": 3,
    "ListPipelineExecutions": 2,
    "GetPipelineState": 1,
}
"""The same for the calls of `FarFaults`."""
STRIKES = {"mild": (2, 4), "rough": (6, 12)}
"""How many single faults there are in a run of that kind, at least and at most."""
STORMS: tuple[tuple[str, ...], ...] = (PASSING, PASSING, ANY_CALL, ("unheard", "dies after"))
OUTAGES: tuple[tuple[str, ...], ...] = (
    *(("denied",), ("throttled",), ("unavailable", "broken")),
    *(("unreachable",), ("unheard",), ("dies after",)),
)


@dataclass
class Strike:
    """`fault` strikes `times` attempts of a call from the `first` on; botocore's repeats count."""

    operation: str
    first: int
    times: int
    fault: str

    def __str__(self) -> str:
        return f"{self.operation} {self.fault} from attempt {self.first} on, {self.times} times"


@dataclass
class Spell:
    """For some time, a share of the calls to a service (None: to any) meet one of `faults`."""

    begins: datetime
    ends: datetime
    share: float
    service: str | None
    faults: tuple[str, ...]

    def __str__(self) -> str:
        when = f"from {self.begins:%H:%M:%S} to {self.ends:%H:%M:%S}"
        calls = f"{self.share:.0%} of calls to {self.service or 'any service'}"
        return f"{calls} {when}: {' or '.join(self.faults)}"


class Faults:
    """Draws the faults of one run. `minutes` is how long people act."""

    def __init__(self, random: Random, minutes: float) -> None:
        self._random = random
        self.fair = False
        """Nothing strikes anymore."""
        self._counted: dict[str, int] = {}
        self._strikes: list[Strike] = []
        self._spells: list[Spell] = []
        self.kind = random.choice(("calm", *["mild"] * 3, *["rough"] * 2, "storm", *["outage"] * 2))
        if self.kind in STRIKES:
            count = random.randint(*STRIKES[self.kind])
            self._strikes = [self._draw_strike(OPERATIONS) for _ in range(count)]
        if self.kind == "storm":
            share, faults = random.uniform(0.1, 0.7), random.choice(STORMS)
            self._spells = [self._draw_spell(minutes, share, None, faults)]
        if self.kind == "outage":
            faults = random.choice(OUTAGES)
            service = random.choice(("codepipeline", "eventbridge", "eventbridge", "lambda"))
            share = random.choice((1.0, 1.0, 0.8))
            self._spells = [self._draw_spell(minutes, share, service, faults)]
        self.pauses = random.choice((0.0, 0.0, 0.05, 0.2))
        """How often an invocation pauses before or after a call, while time passes."""
        self.busy_people = random.choice((0.0, 0.0, 0.3))
        """How often a person acts during such a pause."""
        self.faster_people = 0.0
        """How often a person retries a held stage just before the retry function does."""
        self.astray = random.choice((0.0, 0.0, 0.0, 0.1, 0.4))
        """How often a delivery goes astray."""
        self.latest_arrival = utcnow()
        self._dials = ""

    def __str__(self) -> str:
        faults = [str(fault) for fault in (*self._strikes, *self._spells)]
        return f"{self.kind}: {'; '.join([*faults, self._dials])}"

    def set_dials(self, dials: Dials) -> None:
        """Draw how AWS itself behaves in this run."""
        random = self._random
        dials.rule_warmup = timedelta(seconds=random.choice((0, 0, 0, 15, 60, 90)))
        dials.token_memory = random.choice((None, timedelta(hours=1), *[timedelta(minutes=20)] * 2))
        dials.job_details = random.choice(("execution", "execution", "pipeline", "nothing"))
        dials.events_on = random.random() > 0.15
        dials.continuation_seconds = random.choice((10.0, 30.0, 60.0))
        warmup, memory = dials.rule_warmup.seconds, dials.token_memory
        self._dials = (
            f"a rule takes {warmup} s to match; a token is remembered {memory or 'forever'}; "
            f"job details tell {dials.job_details}; events are {'on' if dials.events_on else 'off'}"
        )

    def strikes(self, service: str, operation: str) -> str | None:
        """The fault that this attempt of a call meets, or None."""
        if self.fair:
            return None
        count = self._counted[operation] = self._counted.get(operation, 0) + 1
        for strike in self._strikes:
            if strike.operation == operation and 0 <= count - strike.first < strike.times:
                return strike.fault
        for spell in self._spells:
            is_met = spell.begins <= utcnow() < spell.ends and spell.service in (None, service)
            if is_met and self._random.random() < spell.share:
                return self._random.choice(spell.faults)
        return None

    def pause(self) -> float | None:
        """For how many seconds an invocation pauses here; None: it does not."""
        if self.fair or self._random.random() >= self.pauses:
            return None
        return self._random.choice((0, 0, 0, 1, 10, 45, 70))

    def copies(self) -> list[float]:
        """After how many seconds each copy of a delivery arrives."""
        if self.fair or self._random.random() >= self.astray:
            return [0.0]
        late = self._random.choice((5.0, 60.0, 300.0, 3600.0, 3 * 3600.0))
        copies: list[float] = self._random.choice(
            ([], [0.0, 0.0], [0.0, late], [late], [0.0, 2.0, late])
        )
        last = timedelta(seconds=max(copies, default=0.0))
        self.latest_arrival = max(self.latest_arrival, utcnow() + last)
        return copies

    def chance(self, share: float) -> bool:
        return not self.fair and self._random.random() < share

    def _draw_strike(self, operations: Mapping[str, int]) -> Strike:
        random = self._random
        operation = random.choices([*operations], [*operations.values()])[0]
        is_special = operation in SPECIAL and random.random() < 0.5
        fault = random.choice(SPECIAL[operation] if is_special else ANY_CALL)
        first = random.choice((1, 1, 1, 2, 2, 3))
        times = random.choice((1, 1, 2, 8) if fault in NOT_REPEATED else (1, 20, 40, 80))
        return Strike(operation, first, times, fault)

    def _draw_spell(
        self, minutes: float, share: float, service: str | None, faults: tuple[str, ...]
    ) -> Spell:
        begins = utcnow() + timedelta(minutes=self._random.uniform(-5, minutes / 2))
        ends = begins + timedelta(minutes=self._random.choice((2, 5, 15, 60, 75)))
        return Spell(begins, ends, share, service, faults)


class FarFaults(Faults):
    """The faults of AssumeRole, PutEvents, and calls to other regions and accounts. They have dice
    of their own, so that everything else happens as it would without them.
    """

    def __init__(self, random: Random, minutes: float, near: Faults) -> None:
        self._random = random
        self._near = near
        self._counted = {}
        count = random.choice((0, 0, 0, 1, 2, 4))
        self._strikes = [self._draw_strike(FAR_OPERATIONS) for _ in range(count)]
        self._spells = []
        if random.random() < 0.2:
            faults, share = random.choice(OUTAGES)[:1], random.choice((1.0, 0.5))
            service = random.choice(("sts", "codepipeline", "eventbridge"))
            self._spells = [self._draw_spell(minutes, share, service, faults)]
        self.pauses = random.choice((0.0, 0.0, 0.05))
        self.busy_people = self.faster_people = 0.0

    @property
    def fair(self) -> bool:  # type: ignore[override]
        return self._near.fair

    def __str__(self) -> str:
        faults = [str(fault) for fault in (*self._strikes, *self._spells)]
        return f"far away: {'; '.join(faults) or 'calm'}"
