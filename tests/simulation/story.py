"""The story of a run, for a person who needs to know how a promise was broken."""

from __future__ import annotations

from dataclasses import dataclass, field

from sandbox.clock import utcnow


class Story:
    """Lines of what happened, each with its driven time."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.depth = 0
        """How many invocations are under way: the lines of an invocation are indented."""

    def tell(self, text: str) -> None:
        self.lines.append(f"{utcnow():%d %H:%M:%S}  {'    ' * self.depth}{text}")


@dataclass
class Result:
    """What a run showed, and how much happened in it."""

    seed: int
    broken: list[str]
    """The promises that it broke, as sentences."""
    story: list[str]
    counts: dict[str, int] = field(default_factory=dict)


def format_result(result: Result) -> str:
    """A run's story, and what it says of the promises."""
    if not result.broken:
        return "\n".join([*result.story, "", f"Seed {result.seed} keeps all promises."])
    promises = [f"  * {promise}" for promise in result.broken]
    again = f"Again: python -m tests.simulation --seed {result.seed}"
    return "\n".join([*result.story, "", f"Seed {result.seed} breaks a promise:", *promises, again])
