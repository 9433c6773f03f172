"""CodePipeline's operations as requests reach them: parse, check the model's limits, call the
backend under the world's lock.
"""

from __future__ import annotations

import json
from typing import Any

from moto.codepipeline.models import codepipeline_backends
from moto.codepipeline.responses import CodePipelineResponse as MotoResponse
from moto.core.common_types import TYPE_RESPONSE

from sandbox.codepipeline import limits
from sandbox.codepipeline.caller import find_caller_arn
from sandbox.codepipeline.models import CodePipelineBackend
from sandbox.codepipeline.shapes import drop_missing
from sandbox.world import current_world


class CodePipelineResponse(MotoResponse):
    def call_action(self) -> TYPE_RESPONSE:
        with current_world().lock:
            return super().call_action()

    @property
    def codepipeline_backend(self) -> CodePipelineBackend:
        backend = codepipeline_backends[self.current_account][self.region]
        if not isinstance(backend, CodePipelineBackend):
            raise TypeError(
                "this is moto's own CodePipeline: enter sandbox.codepipeline.install() before its "
                "first use"
            )
        return backend

    def request(self) -> dict[str, Any]:
        """The request's parameters. ValidationException if they break the model's limits."""
        parameters: dict[str, Any] = json.loads(self.body or "{}")
        limits.check_request(self._get_action(), parameters)
        return parameters

    # Pipelines

    def create_pipeline(self) -> str:
        request = self.request()
        pipeline, tags = self.codepipeline_backend.create_pipeline(
            request["pipeline"], request.get("tags") or [], find_caller_arn(self)
        )
        return json.dumps({"pipeline": pipeline, "tags": tags})

    def update_pipeline(self) -> str:
        return json.dumps(
            {"pipeline": self.codepipeline_backend.update_pipeline(self.request()["pipeline"])}
        )

    def get_pipeline_state(self) -> str:
        return json.dumps(self.codepipeline_backend.get_pipeline_state(self.request()["name"]))

    # Executions

    def start_pipeline_execution(self) -> str:
        execution_id = self.codepipeline_backend.start_pipeline_execution(
            self.request(), find_caller_arn(self)
        )
        return json.dumps({"pipelineExecutionId": execution_id})

    def get_pipeline_execution(self) -> str:
        request = self.request()
        execution = self.codepipeline_backend.get_pipeline_execution(
            request["pipelineName"], request["pipelineExecutionId"]
        )
        return json.dumps({"pipelineExecution": execution})

    def list_pipeline_executions(self) -> str:
        page, token = self.codepipeline_backend.list_pipeline_executions(self.request())
        return json.dumps(drop_missing(pipelineExecutionSummaries=page, nextToken=token))

    def list_action_executions(self) -> str:
        page, token = self.codepipeline_backend.list_action_executions(self.request())
        return json.dumps(drop_missing(actionExecutionDetails=page, nextToken=token))

    def list_rule_executions(self) -> str:
        page, token = self.codepipeline_backend.list_rule_executions(self.request())
        return json.dumps(drop_missing(ruleExecutionDetails=page, nextToken=token))

    def stop_pipeline_execution(self) -> str:
        return json.dumps(
            {
                "pipelineExecutionId": self.codepipeline_backend.stop_pipeline_execution(
                    self.request()
                )
            }
        )

    def retry_stage_execution(self) -> str:
        return json.dumps(
            {"pipelineExecutionId": self.codepipeline_backend.retry_stage_execution(self.request())}
        )

    def rollback_stage(self) -> str:
        return json.dumps(
            {
                "pipelineExecutionId": self.codepipeline_backend.rollback_stage(
                    self.request(), find_caller_arn(self)
                )
            }
        )

    def override_stage_condition(self) -> str:
        self.codepipeline_backend.override_stage_condition(self.request())
        return "{}"

    # Transitions and approvals

    def disable_stage_transition(self) -> str:
        self.codepipeline_backend.disable_stage_transition(self.request(), find_caller_arn(self))
        return "{}"

    def enable_stage_transition(self) -> str:
        self.codepipeline_backend.enable_stage_transition(self.request(), find_caller_arn(self))
        return "{}"

    def put_approval_result(self) -> str:
        return json.dumps(
            {
                "approvedAt": self.codepipeline_backend.put_approval_result(
                    self.request(), find_caller_arn(self)
                )
            }
        )

    # Jobs

    def get_job_details(self) -> str:
        return json.dumps(
            {"jobDetails": self.codepipeline_backend.get_job_details(self.request()["jobId"])}
        )

    def put_job_success_result(self) -> str:
        self.codepipeline_backend.put_job_success_result(self.request())
        return "{}"

    def put_job_failure_result(self) -> str:
        self.codepipeline_backend.put_job_failure_result(self.request())
        return "{}"
