"""Where moto finds the service: it looks for this module beside the backend's."""

from __future__ import annotations

from sandbox.eventbridge.responses import EventBridgeResponse

url_bases = [r"https?://events\.(.+)\.amazonaws\.com"]
url_paths = {"{0}/": EventBridgeResponse.dispatch}
