"""`python -m sandbox.demo`: the whole story on this machine. Deploys the gate, makes `k8s` wait for
`infra`, and shows how `k8s` starts again.
"""

from __future__ import annotations

import json
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import boto3
import click
from moto.core import DEFAULT_ACCOUNT_ID
from rich.console import Console

from sandbox.account import REGION
from sandbox.awslambda import list_finished_runs
from sandbox.clock import utcnow
from sandbox.executor import FinishedRun
from sandbox.server import SandboxServer
from sandbox.story import calls
from sandbox.story.moments import Moment, list_moments
from sandbox.story.show import Lines, Screen, Show
from sandbox.story.snapshot import StorySnapshot, read_snapshot
from sandbox.story.summary import list_figures, list_problems
from sandbox.world import Dials

ROOT = Path(__file__).parents[1]
DEPLOYED_FILES = ("app.py", "chalicelib", ".chalice", "requirements.txt")
IGNORED_FILES = shutil.ignore_patterns("__pycache__", "deployed", "deployments", "venv")
PIPELINES = ("infra", "k8s")
MAX_STORY_SECONDS = 90
POLL_SECONDS = 0.2

CLI_COMMANDS = (
    "aws codepipeline list-pipeline-executions --pipeline-name k8s "
    "--query 'pipelineExecutionSummaries[].{execution:pipelineExecutionId,status:status}' "
    "--output table",
    "aws events list-rules",
)


class StoryStopped(Exception):
    """The story cannot continue; the message says why."""


class Demo:
    """The steps of the story. Their effects are read from AWS, as a person would."""

    def __init__(self, server: SandboxServer, show: Show) -> None:
        self._server = server
        self._show = show
        self._codepipeline = boto3.client("codepipeline", **self._access())
        self._events = boto3.client("events", **self._access())

    def deploy(self) -> None:
        """Run a real `chalice deploy` in a copy of the project, so that Chalice's record of this
        deployment does not stay in the project.
        """
        self._say("deploy", "chalice deploy --stage sandbox, the same command as for AWS")
        with tempfile.TemporaryDirectory(prefix="pipeline-gate-demo-") as folder:
            for name in DEPLOYED_FILES:
                _copy(ROOT / name, Path(folder) / name)
            self._run(["chalice", "deploy", "--stage", "sandbox"], Path(folder))
        functions = boto3.client("lambda", **self._access()).list_functions()["Functions"]
        self._say(
            "deploy",
            "AWS Lambda has "
            f"{' and '.join(sorted(function['FunctionName'] for function in functions))}",
            "good",
        )

    def create(self) -> None:
        """Create the pipelines of examples/."""
        for name in PIPELINES:
            request = json.loads((ROOT / f"examples/{name}.json").read_text())
            self._codepipeline.create_pipeline(**request)
            self._say(
                name,
                f"created: {' > '.join(stage['name'] for stage in request['pipeline']['stages'])}",
            )

    def attach(self) -> None:
        """Give k8s its gate, with the command that a team would type."""
        command = ["gatectl", "attach", "k8s", "--depends-on", "infra", "--yes"]
        self._say("attach", shlex.join(command[:-1]))
        self._run(command, ROOT)
        stages = self._codepipeline.get_pipeline(name="k8s")["pipeline"]["stages"]
        self._say("k8s", f"has a gate: {' > '.join(stage['name'] for stage in stages)}", "good")

    def start(self) -> None:
        for name in PIPELINES:
            self._codepipeline.start_pipeline_execution(name=name)

    def watch(self) -> StorySnapshot:
        """Show what happens until everything has ended, or for at most MAX_STORY_SECONDS; returns
        the last snapshot.
        """
        snapshot = StorySnapshot(utcnow())
        give_up = time.monotonic() + MAX_STORY_SECONDS
        while True:
            before, snapshot = snapshot, read_snapshot(self._codepipeline, self._events, PIPELINES)
            for moment in list_moments(before, snapshot):
                self._show.show_moment(moment)
            self._show.show_snapshot(snapshot)
            if snapshot.all_over or time.monotonic() > give_up:
                return snapshot
            time.sleep(POLL_SECONDS)

    def ask_the_cli(self) -> None:
        """Show what the AWS CLI prints at the end."""
        for command in CLI_COMMANDS:
            self._show.show_heading(f"$ {command}")
            self._show.show_text(self._run(shlex.split(command), ROOT).strip())

    def _access(self) -> dict[str, Any]:
        return {
            "endpoint_url": self._server.url,
            "region_name": REGION,
            "aws_access_key_id": "sandbox",
            "aws_secret_access_key": "sandbox",
        }

    def _run(self, command: Sequence[str], folder: Path) -> str:
        """Run a program of this Python's environment against the sandbox; returns what it prints.

        Raises StoryStopped if it fails.
        """
        program = Path(sys.executable).with_name(command[0])
        done = subprocess.run(
            [str(program), *command[1:]],
            cwd=folder,
            env=self._server.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise StoryStopped(f"{shlex.join(command)} failed:\n{done.stdout}{done.stderr}")
        return done.stdout

    def _say(self, actor: str, text: str, mood: str = "") -> None:
        self._show.show_moment(Moment(utcnow(), actor, text, mood))


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=IGNORED_FILES)
    else:
        shutil.copy(source, target)


def play(show: Show) -> list[str]:
    """Play the story from an empty AWS to its summary; returns what went wrong, in sentences."""
    with (
        SandboxServer(dials=Dials(start_on_create=False, action_seconds=3)) as server,
        calls.record_calls() as called,
    ):
        demo = Demo(server, show)
        with show:
            demo.deploy()
            demo.create()
            demo.attach()
            demo.start()
            last = demo.watch()
        demo.ask_the_cli()
        runs = list_finished_runs(DEFAULT_ACCOUNT_ID, REGION)
        wrong = list_problems(last)
        if wrong:
            show.show_heading("The functions' log")
            show.show_text(_log(runs))
        else:
            show.show_heading("Summary")
            show.show_text(
                "\n".join(
                    list_figures(last, [run.invocation.function_name for run in runs], called)
                )
            )
    return wrong


def _log(runs: Sequence[FinishedRun]) -> str:
    return (
        "\n".join(f"{run.invocation.function_name}: {run.outcome.log.strip()}" for run in runs)
        or "empty: no function ran"
    )


def can_draw() -> bool:
    """Whether standard output is a terminal that shows more than lines of ASCII text."""
    console = Console()
    return (
        sys.stdout.isatty() and not console.is_dumb_terminal and console.encoding.startswith("utf")
    )


@click.command()
@click.option(
    "--plain", is_flag=True, help="Print only lines, as if the output were not a terminal."
)
def main(plain: bool) -> None:
    """Show on this machine, in less than a minute, how one pipeline waits for another."""
    # SIGINT too: a shell starts its background jobs with SIGINT ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    began = utcnow()
    show: Show = Lines(began) if plain or not can_draw() else Screen(began)
    show.show_text(
        "Two pipelines start at the same time. k8s must not deploy while infra is running, so it "
        "has a Gate stage."
    )
    show.show_text(
        "AWS is a sandbox on this machine: nothing leaves the machine, and nothing is left "
        "behind.\n"
    )
    try:
        wrong = play(show)
    except StoryStopped as stopped:
        wrong = [str(stopped)]
    except KeyboardInterrupt:
        show.show_text("\nInterrupted. Nothing is left running.")
        sys.exit(130)
    if wrong:
        raise click.ClickException("the demo did not end as expected: " + "; ".join(wrong))


if __name__ == "__main__":
    main()
