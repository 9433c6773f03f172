"""A gate with 1, 10 and 50 upstreams, each AWS call taking 20 ms. `python -m benchmarks.many_upstreams`

Cold: a new process, from its start to its end, as a Lambda function's first invocation is. Warm: a further invocation of the same one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import click
from rich.console import Console
from rich.table import Table

from benchmarks.slow_aws import slow_aws

ROOT = Path(__file__).parents[1]
CALL_SECONDS = 0.020
AT_MOST = 3.0
"""Times what one upstream takes."""
INVOCATIONS = """
import contextlib, io, json, sys, time
from datetime import UTC, datetime
from app import aws
from chalicelib.gate import answer
names = [f"u{n}" for n in range(int(sys.argv[1]))]
configuration = {"FunctionName": "gate", "UserParameters": json.dumps({"depends_on": names})}
data = {"actionConfiguration": {"configuration": configuration}}
job = {"id": "5e6f7a8b-0000-4000-8000-000000000001", "accountId": "123456789012", "data": data}
took = []
for _ in range(1 + int(sys.argv[2])):
    began = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        said = answer({"CodePipeline.job": job}, None, aws, datetime.now(UTC))
    assert said["decision"] == "passed", said
    took.append(time.perf_counter() - began)
print(json.dumps(took[1:]))
"""


def measure(url: str, upstreams: int, runs: int, warm: int = 5) -> tuple[float, float]:
    """The median seconds of a cold process and of a warm invocation."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")} | {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "NO_PROXY": "127.0.0.1",
    }
    cold: list[float] = []
    further: list[float] = []
    for _ in range(runs):
        began = time.perf_counter()
        _invoke(environment, upstreams, 0)
        cold.append(time.perf_counter() - began)
        further += _invoke(environment, upstreams, warm)
    return median(cold), median(further)


def _invoke(environment: dict[str, str], upstreams: int, further: int) -> list[float]:
    """A new process that answers a first job and so many further ones; the seconds of these."""
    command = [sys.executable, "-c", INVOCATIONS, str(upstreams), str(further)]
    took: list[float] = json.loads(subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True).stdout)
    return took


@click.command()
@click.option("--runs", default=7, show_default=True, help="Processes a figure.")
def main(runs: int) -> None:
    """Print the table. Exit status 1 where 50 upstreams take more than three times what one takes, cold or warm."""
    table = Table("upstreams", "cold", "to one", "warm", "to one", title=f"A gate's answer, each AWS call {CALL_SECONDS * 1000:.0f} ms")
    ratios = []
    with slow_aws(CALL_SECONDS) as url, Console(stderr=True).status("measuring"):
        one = measure(url, 1, runs)
        for upstreams in (1, 10, 50):
            took = one if upstreams == 1 else measure(url, upstreams, runs)
            ratios = [mine / its for mine, its in zip(took, one, strict=True)]
            cells = [
                f"{mine * 1000:.0f} ms" if number == 0 else f"{ratio:.2f}"
                for mine, ratio in zip(took, ratios, strict=True)
                for number in (0, 1)
            ]
            table.add_row(str(upstreams), *cells)
    Console().print(table)
    sys.exit(max(ratios) > AT_MOST)


if __name__ == "__main__":
    main()
