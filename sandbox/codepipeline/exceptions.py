"""The errors of CodePipeline that moto lacks. Their names and meanings are those of the model."""

from __future__ import annotations

from moto.core.exceptions import JsonRESTError


class CodePipelineError(JsonRESTError):
    """An error that AWS calls by the name of its class."""

    code = 400

    def __init__(self, message: str) -> None:
        super().__init__(type(self).__name__, message)


class ValidationException(CodePipelineError):
    pass


class InvalidNextTokenException(CodePipelineError):
    pass


class PipelineNameInUseException(CodePipelineError):
    pass


class InvalidStageDeclarationException(CodePipelineError):
    pass


class InvalidActionDeclarationException(CodePipelineError):
    pass


class StageNotFoundException(CodePipelineError):
    pass


class ActionNotFoundException(CodePipelineError):
    pass


class ConcurrentPipelineExecutionsLimitExceededException(CodePipelineError):
    pass


class ConflictException(CodePipelineError):
    pass


class StageNotRetryableException(CodePipelineError):
    pass


class NotLatestPipelineExecutionException(CodePipelineError):
    pass


class UnableToRollbackStageException(CodePipelineError):
    pass


class PipelineExecutionOutdatedException(CodePipelineError):
    pass


class ConditionNotOverridableException(CodePipelineError):
    pass


class PipelineExecutionNotStoppableException(CodePipelineError):
    pass


class DuplicatedStopRequestException(CodePipelineError):
    pass


class JobNotFoundException(CodePipelineError):
    pass


class InvalidJobStateException(CodePipelineError):
    pass


class OutputVariablesSizeExceededException(CodePipelineError):
    pass


class InvalidApprovalTokenException(CodePipelineError):
    pass


class ApprovalAlreadyCompletedException(CodePipelineError):
    pass
