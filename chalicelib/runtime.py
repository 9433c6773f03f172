"""What one Lambda runtime keeps for its life, from invocation to invocation.

Clients are made while Lambda starts the runtime (guide: Lambda, best practices: "Initialize SDK
clients ... outside of the function handler"): it gives more of a processor then than to an
invocation (practice), and the first pipeline that asks waits for less.
"""

from __future__ import annotations

import os

from chalicelib.aws.clients import Aws

aws = Aws()

if (
    "AWS_LAMBDA_RUNTIME_API" in os.environ
):  # and not where Chalice deploys: there is no region to make a client for
    _ = aws.codepipeline
