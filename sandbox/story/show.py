"""How the story is shown: line by line, or in a terminal with the changing stages of the pipelines
below the lines.
"""

from __future__ import annotations

from datetime import datetime
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from sandbox.story.moments import Moment
from sandbox.story.snapshot import Stage, StorySnapshot

# Of the terminal's own sixteen colours, the ones that are readable on dark and on light.
MOODS = {"good": "green", "bad": "red", "hold": "magenta", "": ""}
STATUSES = {
    "Succeeded": ("✔", "green"),
    "Failed": ("✘", "red"),
    "InProgress": ("●", "bold magenta"),
    "": ("○", "dim"),
}


class Show(Protocol):
    """A context manager, inside which moments and snapshots are shown."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...
    def show_moment(self, moment: Moment) -> None: ...
    def show_snapshot(self, snapshot: StorySnapshot) -> None: ...
    def show_heading(self, text: str) -> None: ...
    def show_text(self, text: str) -> None: ...


class Lines:
    """For pipes and CI: a line per event, without control characters. Times are counted from
    `began`.
    """

    def __init__(self, began: datetime) -> None:
        self._began = began

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        pass

    def show_moment(self, moment: Moment) -> None:
        self.show_text(f"{_format_offset(moment, self._began):>6}  {moment.actor:<8} {moment.text}")

    def show_snapshot(self, snapshot: StorySnapshot) -> None:
        pass

    def show_heading(self, text: str) -> None:
        self.show_text(f"\n{text}")

    def show_text(self, text: str) -> None:
        print(text, flush=True)


class Screen:
    """For a terminal: the same lines, and below them what AWS shows right now."""

    def __init__(self, began: datetime) -> None:
        self._began = began
        self._console = Console(highlight=False)
        self._live = Live(console=self._console, auto_refresh=False)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()

    def show_moment(self, moment: Moment) -> None:
        line = Table.grid(padding=(0, 1, 0, 0))
        line.add_column(width=6, justify="right", style="dim")
        line.add_column(width=8, style="bold")
        line.add_column(overflow="fold")
        line.add_row(
            _format_offset(moment, self._began), moment.actor, Text(moment.text, MOODS[moment.mood])
        )
        self._console.print(line)

    def show_snapshot(self, snapshot: StorySnapshot) -> None:
        seconds = (snapshot.at - self._began).total_seconds()
        table = Table.grid(padding=(0, 1, 0, 0), expand=True)
        table.add_column(width=6)
        for _ in range(max(len(pipeline.stages) for pipeline in snapshot.pipelines)):
            table.add_column(ratio=1)
        for pipeline in snapshot.pipelines:
            table.add_row(Text(pipeline.name, "bold"), *map(_render_stage, pipeline.stages))
        panel = Panel(
            Group(table, _render_rules(snapshot)),
            title=f"what AWS shows now, {seconds:.0f} s on",
            title_align="left",
            border_style="dim",
        )
        self._live.update(panel, refresh=True)

    def show_heading(self, text: str) -> None:
        self._console.print(f"\n{text}", style="bold", markup=False)

    def show_text(self, text: str) -> None:
        self._console.print(text, markup=False)


def _format_offset(moment: Moment, began: datetime) -> str:
    return f"{(moment.at - began).total_seconds():.1f} s"


def _render_stage(stage: Stage) -> RenderableType:
    sign, style = STATUSES.get(stage.status, ("●", ""))
    return Text.assemble(
        (f"{sign} {stage.name} {stage.status}\n", style), (f"  {stage.execution[:8]}", "dim")
    )


def _render_rules(snapshot: StorySnapshot) -> RenderableType:
    return Text(
        "\n".join(f"rule   {rule.name}\n       {rule.schedule}" for rule in snapshot.rules)
        or "no rule\n"
    )
