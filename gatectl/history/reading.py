"""Reads a pipeline's structure, and its executions since a date."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from chalicelib.account.gates import FUNCTION, find_gates
from chalicelib.errors import REFUSALS, PipelineNotFound
from chalicelib.holds.fate import find_closed_gate
from chalicelib.pipelines.execution import LOOK_BACK, Attempt, Execution
from gatectl.arguments import build_missing_pipeline_error
from gatectl.history.report import PipelinePast
from gatectl.session import Place

Entry = TypeVar("Entry", Execution, Attempt)


class HistoryReader:
    """Reads `region` (None: that of `place`), from `since` until `now` (both aware UTC)."""

    def __init__(self, place: Place, region: str | None, since: datetime, now: datetime) -> None:
        self._place = place
        self._region = region
        self._codepipeline = place.connect_codepipeline(region)
        self._since = since
        self._now = now

    def read_pipeline(self, name: str, label: str) -> PipelinePast:
        """Return the pipeline without its executions. Raises Refused if it does not exist."""
        try:
            record = self._codepipeline.read_record(name)
        except PipelineNotFound:
            raise build_missing_pipeline_error(self._place, name, self._region) from None
        return PipelinePast(
            name=name,
            label=label,
            arn=record.arn,
            mode=record.declared.get("executionMode", "SUPERSEDED"),
            created=record.created,
            gates=find_gates(record.declared),
            edited=record.declared.get("version", 1) > 1,
        )

    def add_dependent_executions(self, dependent: PipelinePast) -> PipelinePast:
        """Return the pipeline that would wait, with the executions that started since `since`."""
        listed = self._list_executions(dependent, self._since, self._is_too_old)
        recent = [execution for execution in listed if execution.started >= self._since]
        held_ids = self._list_held(
            dependent,
            had_gate=dependent.edited and any(execution.status == "Failed" for execution in recent),
        )
        worked = tuple(execution for execution in recent if execution.id not in held_ids)
        return replace(
            dependent,
            created=_find_creation(dependent, listed),
            executions=worked,
            held=len(recent) - len(worked),
        )

    def add_upstream_executions(self, upstream: PipelinePast) -> PipelinePast:
        """Return an upstream with the executions that may have run since `since`, and with the last
        one that had finished before.
        """
        begin = self._since - LOOK_BACK
        listed = self._list_executions(
            upstream,
            begin,
            lambda execution: execution.started < begin and execution.finished,
        )
        return replace(upstream, created=_find_creation(upstream, listed), executions=tuple(listed))

    def _list_executions(
        self, past: PipelinePast, begin: datetime, is_enough: Callable[[Execution], bool]
    ) -> list[Execution]:
        executions = self._list_back(
            self._codepipeline.list_execution_pages(past.name),
            f"executions of {past.label}",
            begin,
            is_enough,
        )
        # Newest first in practice, but the model promises no order. The sort keeps AWS's order
        # among executions that started at the same time.
        executions.reverse()
        executions.sort(key=lambda execution: execution.started)
        return [
            replace(execution, updated=max(self._now, execution.started))
            if execution.running
            else execution
            for execution in executions
        ]

    def _list_held(self, dependent: PipelinePast, *, had_gate: bool) -> set[str]:
        """Return the ids of the executions that the pipeline's own gates held, by their attempts.
        `had_gate`: a gate that has been removed may have held some.
        """
        lists: list[Iterator[Sequence[Attempt]]] = []
        if dependent.gates or had_gate:
            lists.append(self._codepipeline.list_attempt_pages(dependent.name))
        if any(gate.condition for gate in dependent.gates) or had_gate:
            lists.append(self._codepipeline.list_condition_attempt_pages(dependent.name))
        attempts_by_execution: dict[str, list[Attempt]] = defaultdict(list)
        for pages in lists:
            for attempt in self._list_back(
                pages, f"gate of {dependent.name}", self._since, self._is_too_old
            ):
                attempts_by_execution[attempt.execution].append(attempt)
        return {
            execution
            for execution, attempts in attempts_by_execution.items()
            if _was_held(attempts)
        }

    def _is_too_old(self, entry: Execution | Attempt) -> bool:
        return entry.started < self._since

    def _list_back(
        self,
        pages: Iterator[Sequence[Entry]],
        contents: str,
        begin: datetime,
        is_enough: Callable[[Entry], bool],
    ) -> list[Entry]:
        """Return what AWS lists of a pipeline, newest first, up to the page with an entry that
        `is_enough`. `contents`, `begin`: what the progress bar names, and where it ends.
        """
        entries: list[Entry] = []
        days = (self._now - begin).days
        with self._place.show_progress(f"Reading the {contents}, days back") as show_progress:
            for page in pages:
                entries += page
                if entries:
                    show_progress(min(days, (self._now - entries[-1].started).days), days)
                if any(map(is_enough, page)):
                    break
        return entries


def _was_held(attempts: list[Attempt]) -> bool:
    """Return whether a gate failed the execution of these attempts in order to hold it."""
    gate_functions = [match["name"] for a in attempts if (match := FUNCTION.fullmatch(a.function))]
    closed_gates = [find_closed_gate(attempts, function) for function in gate_functions]
    return any(attempt and attempt.error not in REFUSALS for attempt in closed_gates)


def _find_creation(past: PipelinePast, executions: list[Execution]) -> datetime:
    """Return when AWS says that it was created, or when its first execution started if earlier."""
    return min([past.created, *(execution.started for execution in executions)])
