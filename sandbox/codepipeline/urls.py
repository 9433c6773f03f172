"""Where moto finds the operations: it looks for this module beside the one of the backend's
class.
"""

from __future__ import annotations

from moto.codepipeline.urls import url_bases

from sandbox.codepipeline.responses import CodePipelineResponse

__all__ = ["url_bases", "url_paths"]

url_paths = {"{0}/$": CodePipelineResponse.dispatch}
