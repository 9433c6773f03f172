"""RuntimeExecutor: real processes, real time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from moto import mock_aws
from moto.awslambda.models import LambdaFunction, lambda_backends
from moto.sts.models import sts_backends

from sandbox import awslambda
from sandbox.account import ACCOUNT, REGION
from sandbox.awslambda.runtime import RuntimeExecutor
from sandbox.clock import WallClock
from sandbox.executor import Invocation, RunOutcome
from sandbox.world import World, enter_world
from tests.sandbox.functions import deploy
from tests.support.waiting import wait_until

URL = "http://127.0.0.1:1"


@pytest.fixture(autouse=True)
def executor() -> Iterator[RuntimeExecutor]:
    clock = WallClock(1)
    with (
        mock_aws(),
        awslambda.install(),
        RuntimeExecutor(URL) as executor,
        enter_world(World(clock, executor)),
    ):
        yield executor
    clock.stop()


@pytest.fixture
def run(executor: RuntimeExecutor) -> Callable[..., RunOutcome]:
    def run(function: LambdaFunction, payload: str = "{}") -> RunOutcome:
        arn = function.function_arn
        return executor.run(
            function, Invocation(ACCOUNT, REGION, function.function_name, arn, "request-1", payload)
        )

    return run


Run = Callable[..., RunOutcome]


def is_gone(pid: int) -> bool:
    """Whether a process has ended, though its parent may not have noticed yet."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z"


PID = "import os\ndef f(event, context): return os.getpid()"


def test_event_context_result_and_print(run: Run) -> None:
    function = deploy(
        """
        def f(event, context):
            print("got", event["word"])
            left = context.get_remaining_time_in_millis()
            return {
                "arn": context.invoked_function_arn,
                "id": context.aws_request_id,
                "in time": 30_000 < left <= 60_000,
                "é": event,
            }
        """,
        Timeout=60,
    )
    outcome = run(function, '{"word": "ü"}')
    assert (outcome.error, outcome.log) == (None, "got ü\n")
    context = {"arn": function.function_arn, "id": "request-1", "in time": True}
    assert json.loads(outcome.payload) == {**context, "é": {"word": "ü"}}


def test_the_function_sees_lambdas_environment_and_nothing_of_the_host(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_PROFILE", "AWS_SECRET_ACCESS_KEY", "AWS_ROLE_ARN", "HTTPS_PROXY", "HOME"):
        monkeypatch.setenv(name, "/host")
    source = "import os\ndef f(event, context): return dict(os.environ)"
    function = deploy(source, Environment={"Variables": {"MINE": "1"}})
    environment: dict[str, str] = json.loads(run(function).payload)
    assert "host" not in " ".join(environment.values())
    expected = {
        "MINE": "1",
        "AWS_LAMBDA_FUNCTION_NAME": "f",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/f",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": URL,
        "_HANDLER": "app.f",
        "TZ": ":UTC",
    }
    assert {name: environment[name] for name in expected} == expected
    assert environment["AWS_ACCESS_KEY_ID"].startswith("ASIA")
    assert "AWS_PROFILE" not in environment


def test_the_credentials_are_the_roles(run: Run) -> None:
    source = "import os\ndef f(event, context): return os.environ['AWS_ACCESS_KEY_ID']"
    key = json.loads(run(deploy(source)).payload)
    session = sts_backends[ACCOUNT]["aws"].get_assumed_role_from_access_key(key)
    assert session
    assert session.arn == f"arn:aws:sts::{ACCOUNT}:assumed-role/f-role/f"


@pytest.mark.parametrize(
    ("source", "kind", "message"),
    [
        ("def f(event, context): raise ValueError('no')", "ValueError", "no"),
        ("def f(event, context): return object()", "Runtime.MarshalError", "marshal response"),
        (
            "import nothing_like_it",
            "Runtime.ImportModuleError",
            "No module named 'nothing_like_it'",
        ),
        ("1 / 0", "ZeroDivisionError", "division by zero"),
        ("g = 1", "Runtime.HandlerNotFound", "Handler 'f' missing on module 'app'"),
        ("import os\ndef f(event, context): os._exit(3)", "Runtime.ExitError", "exit status 3"),
        (
            "import os\ndef f(event, context): os.kill(os.getpid(), 9)",
            "Runtime.ExitError",
            "Runtime exited with error: signal: SIGKILL",
        ),
    ],
)
def test_errors_are_unhandled_with_lambdas_error_object(
    run: Run, source: str, kind: str, message: str
) -> None:
    function = deploy(source)
    for _ in range(2):  # a process that died is not used again
        outcome = run(function)
        error = json.loads(outcome.payload)
        assert (outcome.error, error["errorType"]) == ("Unhandled", kind)
        assert message in error["errorMessage"]
        assert message in outcome.log


def test_a_timeout_kills_the_process(run: Run, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    source = (
        f"import os, time\ndef f(event, context): open({str(pid)!r}, "
        "'w').write(str(os.getpid())); print('here'); time.sleep(60)"
    )
    outcome = run(deploy(source, Timeout=1))
    assert outcome.error == "Unhandled"
    assert "Task timed out after 1.00 seconds" in json.loads(outcome.payload)["errorMessage"]
    assert outcome.log.startswith("here\n")
    wait_until(lambda: is_gone(int(pid.read_text())))


def test_a_warm_process_is_used_again_until_the_function_changes(run: Run) -> None:
    function = deploy(PID)
    first = run(function).payload
    assert run(function).payload == first
    lambda_backends[ACCOUNT][REGION].update_function_configuration(
        "f", "$LATEST", {"Environment": {"Variables": {"A": "1"}}}
    )
    assert run(function).payload != first
    wait_until(lambda: is_gone(int(first)))


def test_each_log_is_its_own_invocations(run: Run) -> None:
    function = deploy("def f(event, context): print(event)")
    assert [run(function, "1").log, run(function, "2").log] == ["1\n", "2\n"]


def test_invocations_at_the_same_time_have_a_process_each(run: Run, tmp_path: Path) -> None:
    source = f"""
        import os, pathlib, time
        def f(event, context):
            folder = pathlib.Path({str(tmp_path)!r})
            (folder / str(os.getpid())).touch()
            while len(list(folder.iterdir())) < 3:
                time.sleep(0.01)
            return os.getpid()
    """
    function = deploy(source, Timeout=60)
    with ThreadPoolExecutor() as pool:
        pids = list(pool.map(lambda _: run(function).payload, range(3)))
    assert {path.name for path in tmp_path.iterdir()} == set(pids)


def test_nothing_is_left_after_close(executor: RuntimeExecutor, run: Run) -> None:
    before = set(threading.enumerate())
    idle = run(deploy(PID)).payload
    sleeper = deploy(
        "import time\ndef f(event, context): print('x'); time.sleep(60)", name="sleeper", Timeout=60
    )
    outcomes: list[Any] = []
    thread = threading.Thread(target=lambda: outcomes.append(run(sleeper)))
    thread.start()
    wait_until(lambda: bool(executor._busy))
    executor.close()
    thread.join(60)
    wait_until(lambda: is_gone(int(idle)))
    assert outcomes[0].error == "Unhandled"
    assert set(threading.enumerate()) <= before
    assert not Path(executor._folder.name).exists()
    with pytest.raises(RuntimeError, match="closed"):
        run(sleeper)


def test_a_function_ends_with_a_sandbox_that_is_killed(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    endless = (
        f"import os, time\ndef f(event, context):\n  open({str(pid)!r}, "
        "'w').write(f'{os.getpid()} ')\n  time.sleep(60)"
    )
    sandbox = f"""
        from moto import mock_aws
        from sandbox.executor import Invocation
        from sandbox.awslambda.runtime import RuntimeExecutor
        from sandbox.clock import WallClock
        from sandbox.world import World, enter_world
        from tests.sandbox.functions import deploy
        executor = RuntimeExecutor("{URL}")
        with mock_aws(), enter_world(World(WallClock(1), executor)):
            function = deploy({endless!r}, Timeout=60)
            arn = function.function_arn
            executor.run(function, Invocation("{ACCOUNT}", "{REGION}", "f", arn, "1", "{{}}"))
    """
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(sandbox)],
        cwd=Path(__file__).parents[2],
        env=environment,
    )
    wait_until(lambda: process.poll() or (pid.exists() and pid.read_text().endswith(" ")))
    process.send_signal(signal.SIGKILL)
    process.wait()
    wait_until(lambda: is_gone(int(pid.read_text())))
