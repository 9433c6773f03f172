"""`gatectl completion`, and the names that a shell completes: pipelines and stages, as the account
has them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click
from botocore.exceptions import BotoCoreError, ClientError
from click.shell_completion import get_completion_class

from gatectl.session import region_set

USE = {
    "bash": 'To use it, put this line into ~/.bashrc: eval "$(gatectl completion bash)"',
    "zsh": 'To use it, put this line into ~/.zshrc, after compinit: eval "$(gatectl completion '
    'zsh)"',
    "fish": "To use it, put this line into ~/.config/fish/config.fish: gatectl completion fish | "
    "source",
}
Complete = Callable[[click.Context, click.Parameter, str], list[str]]


@click.command()
@click.argument("shell", type=click.Choice(list(USE)))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script that completes gatectl in your SHELL.

    It completes commands, options and their values, and the names of your pipelines and stages.

    \b
    To use it, put a line into a file of your shell's:
      ~/.bashrc                   eval "$(gatectl completion bash)"
      ~/.zshrc, after compinit    eval "$(gatectl completion zsh)"
      ~/.config/fish/config.fish  gatectl completion fish | source

    Pipelines and stages are asked of AWS with your credentials, for the --region and --profile that stand before them. Where AWS does
    not answer within two seconds, there are none.
    """
    maker = get_completion_class(shell)
    if maker is None:
        raise click.UsageError(f"This version of click makes no script for {shell}.")
    click.echo(maker(context.find_root().command, {}, "gatectl", "_GATECTL_COMPLETE").source())
    click.echo(f"# {USE[shell]}")


def _quietly(names: Callable[[Any, click.Context, str], list[str]]) -> Complete:
    """For click's `shell_complete`: those of `names` that begin with what is typed; none where AWS
    does not tell.
    """

    def complete(context: click.Context, parameter: click.Parameter, typed: str) -> list[str]:
        try:
            codepipeline = _codepipeline(context)
            return (
                [name for name in names(codepipeline, context, typed) if name.startswith(typed)]
                if codepipeline
                else []
            )
        except (BotoCoreError, ClientError):
            return []

    return complete


def _pipelines(codepipeline: Any, context: click.Context, typed: str) -> list[str]:
    pages = codepipeline.get_paginator("list_pipelines").paginate()
    return sorted(one["name"] for page in pages for one in page["pipelines"])


def _upstreams(codepipeline: Any, context: click.Context, typed: str) -> list[str]:
    """Other pipelines, and after "infra/" the stages of infra; after "infra," the same again, but
    for infra.
    """
    before, comma, last = typed.rpartition(",")
    pipeline, slash, _ = last.partition("/")
    if slash:
        found = [f"{pipeline}/{stage}" for stage in _stages_of(codepipeline, pipeline)]
    else:
        named = {_pipeline(context), *before.split(",")}
        found = [name for name in _pipelines(codepipeline, context, typed) if name not in named]
    return [f"{before}{comma}{one}" for one in found]


def _stages(codepipeline: Any, context: click.Context, typed: str) -> list[str]:
    """Those of the pipeline that the command names."""
    return _stages_of(codepipeline, _pipeline(context))


def _pipeline(context: click.Context) -> str:
    """The argument PIPELINE, which click leaves among the others while the last option has no value
    yet.
    """
    return str(context.params.get("pipeline") or next(iter(context.args), ""))


def _stages_of(codepipeline: Any, pipeline: str) -> list[str]:
    return [
        stage["name"] for stage in codepipeline.get_pipeline(name=pipeline)["pipeline"]["stages"]
    ]


def _codepipeline(context: click.Context) -> Any | None:
    """A client that gives up soon. None where botocore would ask for a one-time code, in the middle
    of what a person types.
    """
    from botocore.config import Config  # noqa: PLC0415 - who only completes options does not pay for it
    from botocore.session import Session  # noqa: PLC0415

    session = Session(profile=context.params.get("profile"))
    if "mfa_serial" in session.get_scoped_config():
        return None
    hasty = Config(connect_timeout=1, read_timeout=2, retries={"total_max_attempts": 1})
    return session.create_client(
        "codepipeline", region_name=context.params.get("region") or region_set(), config=hasty
    )


pipelines, upstreams, stages = _quietly(_pipelines), _quietly(_upstreams), _quietly(_stages)
