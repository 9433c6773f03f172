"""One JSON line a decision, on standard output, where Lambda takes it into CloudWatch Logs, and
CloudWatch its metrics out of it.

Only what is passed in is logged; callers never pass an event or an AWS answer, which hold
credentials.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from collections.abc import Mapping

NAMESPACE = "PipelineGate"
METRICS = {
    "held": ("Held",),
    "passed": ("Passed",),
    "bypassed": ("Bypassed",),
    "observed": ("Observed",),
    "started": ("Released",),
    "retried": ("Released",),
    "released": ("Released", "Passed"),
    "let go": ("LetGo", "Passed"),
    "gave up": ("GaveUp",),
    "deadlock": ("Deadlocks",),
    "refused": ("Refused",),
    "defect": ("Defects",),
}
"""The metrics that count a decision."""


def log_decision(function: str, decided: str, **seen: object) -> dict[str, object]:
    """Log what `function` decided and what it saw; returns the record, which is also the function's
    result.

    The line is in CloudWatch's embedded metric format, so that counting costs no call (guide:
    CloudWatch, "Embedding metrics within logs"). The metrics have the function alone for a
    dimension: each further one would cost its price for each pipeline.
    """
    record = {
        "function": function,
        "decision": decided,
        **{key: value for key, value in seen.items() if value is not None},
    }
    print(json.dumps({**record, **_metrics(record)}, default=str), file=sys.stdout, flush=True)
    return record


def log_defect(function: str, error: Exception, **seen: object) -> dict[str, object]:
    """Log an error of our own with the places it went through; not its message, which may repeat
    what it choked on.
    """
    places = [
        f"{frame.filename}:{frame.lineno} {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)
    ]
    return log_decision(function, "defect", error=type(error).__name__, places=places, **seen)


def came_about(record: Mapping[str, object]) -> bool:
    """False where the job had its result before, or was over: then what was decided here is not
    what happened.
    """
    return record.get("answered") is not False


def _metrics(record: dict[str, object]) -> dict[str, object]:
    names = METRICS.get(str(record["decision"]), ()) if came_about(record) else ()
    counted: dict[str, object] = dict.fromkeys(names, 1)
    units = dict.fromkeys(counted, "Count")
    if counted and "waited_seconds" in record:
        counted["WaitTime"], units["WaitTime"] = record["waited_seconds"], "Seconds"
    if not counted:
        return {}
    metrics = [{"Name": name, "Unit": unit} for name, unit in units.items()]
    directive = {"Namespace": NAMESPACE, "Dimensions": [["FunctionName"]], "Metrics": metrics}
    return {
        "FunctionName": os.environ.get("AWS_LAMBDA_FUNCTION_NAME", record["function"]),
        **counted,
        "_aws": {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]},
    }
