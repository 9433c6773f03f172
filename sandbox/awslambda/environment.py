"""The environment variables of a function's process: those of Lambda and of the function, without
this machine's AWS settings.
"""

from __future__ import annotations

import os
from pathlib import Path

from moto.awslambda.models import LambdaFunction
from moto.sts.models import sts_backends

from sandbox.awslambda import logs
from sandbox.world import current_world


def build_environment(
    function: LambdaFunction, task_root: Path, runtime_api: str, endpoint_url: str
) -> dict[str, str]:
    """All variables of a new process (guide: configuration-envvars), `runtime_api` as HOST:PORT.

    The function's own variables may replace the unreserved ones (TZ, LANG, PATH, AWS_ENDPOINT_URL),
    as in AWS.
    """
    return {
        "TZ": ":UTC",
        "LANG": "en_US.UTF-8",
        "PATH": os.environ.get("PATH", os.defpath),
        # A home without ~/.aws, or boto3 would read this machine's profiles.
        "HOME": str(task_root),
        "AWS_ENDPOINT_URL": endpoint_url,
        **function.environment_vars,
        "_HANDLER": str(function.handler),
        "LAMBDA_TASK_ROOT": str(task_root),
        "AWS_REGION": function.region,
        "AWS_DEFAULT_REGION": function.region,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.run_time}",
        "AWS_LAMBDA_FUNCTION_NAME": function.function_name,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_size),
        "AWS_LAMBDA_FUNCTION_VERSION": str(function.version),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": logs.name_log_group(function),
        "AWS_LAMBDA_LOG_STREAM_NAME": logs.name_log_stream(function),
        "AWS_LAMBDA_RUNTIME_API": runtime_api,
        **_assume_function_role(function),
    }


def _assume_function_role(function: LambdaFunction) -> dict[str, str]:
    """Credentials of arn:aws:sts::ACCOUNT:assumed-role/ROLE/FUNCTION: the session has the
    function's name (practice).
    """
    with current_world().lock:
        session = sts_backends[function.account_id][function.partition].assume_role(
            region_name=function.region,
            role_session_name=function.function_name,
            role_arn=function.role,
            policy="",
            duration=12 * 3600,
            external_id="",
        )
    return {
        "AWS_ACCESS_KEY_ID": session.access_key_id,
        "AWS_SECRET_ACCESS_KEY": session.secret_access_key,
        "AWS_SESSION_TOKEN": session.session_token,
    }
