"""What one Lambda runtime keeps from invocation to invocation: the clients of the AWS services.

The CodePipeline client is made while Lambda starts the runtime (guide: Lambda, best practices:
"Initialize SDK clients ... outside of the function handler"). A runtime has more CPU then than
during an invocation (practice), so the first invocation is faster.
"""

from __future__ import annotations

import os

from chalicelib.aws.clients import Aws

aws = Aws()

# Chalice imports this module too when it deploys, but then there is no region to make a client for.
if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    _ = aws.codepipeline
