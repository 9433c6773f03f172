"""One JSON line per decision, on standard output. Lambda takes it into CloudWatch Logs, and
CloudWatch reads its metrics out of it.

Only what is passed in is logged. Callers never pass an event or an answer of AWS's, because both
hold credentials.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from collections.abc import Mapping

from chalicelib.records.outcomes import Outcome

NAMESPACE = "PipelineGate"


def log_decision(function: str, outcome: Outcome, **fields: object) -> dict[str, object]:
    """Log what `function` decided and why. Returns the record, which is also the function's result.

    The line is in CloudWatch's embedded metric format, so counting costs no call (guide:
    CloudWatch, "Embedding metrics within logs"). The only dimension of the metrics is the function:
    each further one would be charged for every pipeline.
    """
    record = {
        "function": function,
        "decision": outcome.word,
        **{key: value for key, value in fields.items() if value is not None},
    }
    line = json.dumps({**record, **_build_metrics(outcome, record)}, default=str)
    print(line, file=sys.stdout, flush=True)
    return record


def log_defect(function: str, error: Exception, **fields: object) -> dict[str, object]:
    """Log a defect with the places in the code that it went through. Its message is left out: it
    may repeat the input that caused it.
    """
    places = [
        f"{frame.filename}:{frame.lineno} {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)
    ]
    return log_decision(
        function, Outcome.DEFECT, error=type(error).__name__, places=places, **fields
    )


def took_effect(record: Mapping[str, object]) -> bool:
    """Return False if the job had its result before, or was over: then this decision changed
    nothing, and is neither counted nor announced.
    """
    return record.get("answered") is not False


def _build_metrics(outcome: Outcome, record: Mapping[str, object]) -> dict[str, object]:
    if not took_effect(record):
        return {}
    values: dict[str, object] = dict.fromkeys(outcome.metrics, 1)
    units = dict.fromkeys(values, "Count")
    if "waited_seconds" in record:
        values["WaitTime"], units["WaitTime"] = record["waited_seconds"], "Seconds"
    if "waiting_seconds" in record:
        values["Waiting"], units["Waiting"] = record["waiting_seconds"], "Seconds"
    if not values:
        return {}
    directive = {
        "Namespace": NAMESPACE,
        "Dimensions": [["FunctionName"]],
        "Metrics": [{"Name": name, "Unit": unit} for name, unit in units.items()],
    }
    return {
        "FunctionName": os.environ.get("AWS_LAMBDA_FUNCTION_NAME", record["function"]),
        **values,
        "_aws": {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]},
    }
