"""One JSON line a decision, on standard output, where Lambda takes it into CloudWatch Logs.

Only what is passed in is logged; callers never pass an event or an AWS answer, which hold credentials.
"""

from __future__ import annotations

import json
import sys
import traceback


def decision(function: str, decided: str, **seen: object) -> dict[str, object]:
    """Log what `function` decided and what it saw; returns the record, which is also the function's result."""
    record = {"function": function, "decision": decided, **{key: value for key, value in seen.items() if value is not None}}
    print(json.dumps(record, default=str), file=sys.stdout, flush=True)
    return record


def defect(function: str, error: Exception, **seen: object) -> dict[str, object]:
    """Log an error of our own with the places it went through; not its message, which may repeat what it choked on."""
    places = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)]
    return decision(function, "defect", error=type(error).__name__, places=places, **seen)
