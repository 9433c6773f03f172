"""Driven time that calls share, as they do in AWS: a call that sleeps lets the others run.

Each call that falls due runs on a thread of its own, but only one thread runs at a time. A thread
that sleeps (in an AWS call, or between two of them) lets the others run until the driven time has
come. So a run is exact, repeatable, and takes seconds.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from sandbox.clock import DrivenClock, PlannedCall, utcnow

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class ConcurrentClock(DrivenClock):
    """A DrivenClock on which a call that sleeps lets other calls run. The thread that makes the
    clock drives it.
    """

    def __init__(self, start: datetime) -> None:
        super().__init__(start)
        self._driver = threading.current_thread()
        self._handed_over = threading.Semaphore(0)
        self._defects: list[BaseException] = []

    def call_at(
        self, when: datetime, callback: Callable[[], object], label: str = ""
    ) -> PlannedCall:
        return super().call_at(when, lambda: self._start_thread(callback, label), label)

    def sleep(self, seconds: float) -> None:
        if threading.current_thread() is self._driver:
            super().sleep(seconds)
            return
        turn = threading.Semaphore(0)
        self._plan_turn(turn, utcnow() + timedelta(seconds=seconds))
        self._hand_over(turn)

    def run_in_parallel(
        self, call: Callable[[Item], Answer], items: Sequence[Item]
    ) -> list[Answer]:
        """`call(item)` for each item, in their order: a call that sleeps lets the others run. If
        any fail, the error of the first one of them is raised.
        """
        turn = threading.Semaphore(0)
        answers: dict[int, Answer] = {}
        errors: dict[int, Exception] = {}

        def answer(number: int) -> None:
            try:
                answers[number] = call(items[number])
            except Exception as error:  # raised on the thread that waits
                errors[number] = error
            if len(answers) + len(errors) == len(items):
                self._plan_turn(turn, utcnow())

        for number in range(len(items)):
            self.call_at(utcnow(), partial(answer, number), "runs in parallel")
        if items:
            self._hand_over(turn)
        if errors:
            raise errors[min(errors)]
        return [answers[number] for number in range(len(items))]

    def _plan_turn(self, turn: threading.Semaphore, when: datetime) -> None:
        super().call_at(when, lambda: self._resume_thread(turn), "wakes up")

    def _hand_over(self, turn: threading.Semaphore) -> None:
        """Let other threads run until it is this one's turn."""
        self._handed_over.release()
        turn.acquire()

    def _start_thread(self, callback: Callable[[], object], label: str) -> None:
        threading.Thread(target=self._run, args=(callback,), name=label, daemon=True).start()
        self._wait_for_thread()

    def _resume_thread(self, turn: threading.Semaphore) -> None:
        turn.release()
        self._wait_for_thread()

    def _wait_for_thread(self) -> None:
        """Wait until the running thread sleeps or ends. If it died, raise its error: a defect of
        the sandbox or of its user.
        """
        self._handed_over.acquire()
        if self._defects:
            raise self._defects.pop()

    def _run(self, callback: Callable[[], object]) -> None:
        try:
            callback()
        except BaseException as error:  # raised on the driver's thread
            self._defects.append(error)
        finally:
            self._handed_over.release()
