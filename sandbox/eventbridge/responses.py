"""The EventBridge operations that moto's responses leave out."""

from __future__ import annotations

import json

from moto.events.exceptions import ValidationException
from moto.events.responses import EventsHandler

from sandbox.eventbridge.pattern import compile_pattern
from sandbox.eventbridge.validation import check_pattern

EVENT_FIELDS = {"id", "account", "source", "time", "region", "resources", "detail-type"}


class EventBridgeResponse(EventsHandler):
    def test_event_pattern(self) -> str:  # type: ignore[override]
        """Whether a pattern matches an event; the fields of EVENT_FIELDS are mandatory (model:
        TestEventPattern).
        """
        pattern, text = self._get_param("EventPattern"), self._get_param("Event")
        check_pattern(pattern)
        try:
            event = json.loads(text)
        except ValueError:
            raise ValidationException(
                "Parameter Event is not valid. Reason: it is not JSON."
            ) from None
        if not isinstance(event, dict) or not event.keys() >= EVENT_FIELDS:
            raise ValidationException(
                f"Parameter Event is not valid. Reason: it needs {', '.join(sorted(EVENT_FIELDS))}."
            )
        return json.dumps({"Result": compile_pattern(pattern)(event)})
