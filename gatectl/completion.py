"""`gatectl completion`, and the names of pipelines and stages that a shell completes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click
from click.shell_completion import get_completion_class

from chalicelib.aws.codepipeline import CodePipeline
from gatectl.output import remove_control_characters, write_text
from gatectl.session import read_aws_region

Complete = Callable[[click.Context, click.Parameter, str], list[str]]


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion script for your SHELL.

    It completes commands, options and their values, and the names of your pipelines and stages.

    \b
    To use it, add a line to your shell's startup file:
      ~/.bashrc                   eval "$(gatectl completion bash)"
      ~/.zshrc, after compinit    eval "$(gatectl completion zsh)"
      ~/.config/fish/config.fish  gatectl completion fish | source

    The names are read from AWS with your credentials, for the --region and --profile that you
    typed before them. If AWS does not answer within two seconds, no names are completed.
    """
    completion_class = get_completion_class(shell)
    if completion_class is None:
        raise click.UsageError(f"This version of click has no script for {shell}.")
    script = completion_class(context.find_root().command, {}, "gatectl", "_GATECTL_COMPLETE")
    write_text(script.source())


def _complete(list_words: Callable[[CodePipeline, click.Context, str], list[str]]) -> Complete:
    """Return a function for click's `shell_complete`; it lists nothing if AWS does not answer."""

    def complete(context: click.Context, parameter: click.Parameter, typed: str) -> list[str]:
        try:
            codepipeline = _connect(context)
            words = list_words(codepipeline, context, typed) if codepipeline else []
        except Exception:
            return []  # a complaint would end up in the middle of what a person types
        return [
            word
            for word in words
            if word.startswith(typed) and word == remove_control_characters(word)
        ]

    return complete


def _list_upstreams(codepipeline: CodePipeline, context: click.Context, typed: str) -> list[str]:
    """List other pipelines; after "infra/" the stages of infra; after "infra," all but infra."""
    before, comma, last = typed.rpartition(",")
    pipeline, slash, _ = last.partition("/")
    if slash:
        words = [f"{pipeline}/{stage}" for stage in _read_stages(codepipeline, pipeline)]
    else:
        used = {_find_pipeline(context), *before.split(",")}
        words = [name for name in sorted(codepipeline.list_pipelines()) if name not in used]
    return [f"{before}{comma}{word}" for word in words]


def _find_pipeline(context: click.Context) -> str:
    """Return the argument PIPELINE. While the last option has no value, click leaves it among the
    unparsed arguments.
    """
    return str(context.params.get("pipeline") or next(iter(context.args), ""))


def _read_stages(codepipeline: CodePipeline, pipeline: str) -> list[str]:
    declared, _ = codepipeline.read_declaration(pipeline)
    return [stage["name"] for stage in declared["stages"]]


def _connect(context: click.Context) -> CodePipeline | None:
    """Return CodePipeline with short timeouts; None if botocore would ask for a one-time code while
    a person is typing.
    """
    from botocore.config import Config  # noqa: PLC0415 - slow; completing options does without it
    from botocore.session import Session  # noqa: PLC0415

    session = Session(profile=context.params.get("profile"))
    if "mfa_serial" in session.get_scoped_config():
        return None
    config = Config(connect_timeout=1, read_timeout=2, retries={"total_max_attempts": 1})
    region = context.params.get("region") or read_aws_region()
    client: Any = session.create_client("codepipeline", region_name=region, config=config)
    return CodePipeline(client)


pipelines = _complete(lambda codepipeline, _context, _typed: sorted(codepipeline.list_pipelines()))
upstreams = _complete(_list_upstreams)
stages = _complete(
    lambda codepipeline, context, _typed: _read_stages(codepipeline, _find_pipeline(context))
)
