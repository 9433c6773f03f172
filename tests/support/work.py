"""The pipelines of a SandboxServer work until a test ends their work, not for a fixed time."""

from __future__ import annotations

from typing import cast

from moto.codepipeline.models import codepipeline_backends

from sandbox.account import ACCOUNT, REGION
from sandbox.codepipeline.execution import PipelineExecution
from sandbox.codepipeline.models import CodePipelineBackend

SHORT_SECONDS, LONG_SECONDS = 0.5, 3600.0


class DrivenWork:
    """The actions of `pipelines` run until `end_work`; other actions end soon on their own.

    Create it while the server runs. However slow the machine is, an upstream is still running when
    a test checks what waits for it.
    """

    def __init__(self, *pipelines: str) -> None:
        self._pipelines = pipelines
        self._ending: set[str] = set()
        self._backend = cast(CodePipelineBackend, codepipeline_backends[ACCOUNT][REGION])
        self._backend.outcome = self._decide_outcome

    def end_work(self, pipeline: str) -> None:
        """Let the executions of `pipeline` that run now succeed within seconds."""
        for execution in list(self._backend.pipelines[pipeline].running.values()):
            self._ending.add(execution.id)
            for action in execution.actions:
                for timer in action.timers:
                    if action.status == "InProgress" and not timer.cancelled:
                        timer.cancel()
                        timer.callback()

    def _decide_outcome(
        self, execution: PipelineExecution, stage: str, _action: str
    ) -> tuple[float, str]:
        short = execution.pipeline_name not in self._pipelines or execution.id in self._ending
        return SHORT_SECONDS if short or stage == "Source" else LONG_SECONDS, "Succeeded"
