"""`python -m sandbox.push`: something happens in a repository, for the pipelines of `make sandbox`
whose source is a connection to it.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterable
from http import HTTPStatus
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click
from moto.codepipeline.models import codepipeline_backends

from sandbox.account import ACCOUNT, REGION
from sandbox.codepipeline.models import CodePipelineBackend
from sandbox.world import current_world

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PATH = "/sandbox/push"
"""The path on which the sandbox's server takes events of repositories. AWS has none like it."""


class PushReceiver:
    """A WSGI application that takes events of repositories, and passes other requests on."""

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ.get("PATH_INFO") != PATH or environ["REQUEST_METHOD"] != "POST":
            return self._application(environ, start_response)
        length = int(environ.get("CONTENT_LENGTH") or 0)
        started = receive_event(json.loads(environ["wsgi.input"].read(length)))
        body = json.dumps(started).encode()
        start_response(
            "200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        )
        return [body]


def receive_event(event: dict[str, Any]) -> list[str]:
    """Let CodePipeline know of an event (see `main`). Returns the ids of the executions that it
    starts.
    """
    backend = codepipeline_backends[ACCOUNT][REGION]
    if not isinstance(backend, CodePipelineBackend):
        raise TypeError("this is moto's own CodePipeline: enter sandbox.codepipeline.install()")
    repository, commit, message = event["repository"], event["commit"], event["message"]
    with current_world().lock:
        if event["tag"]:
            return backend.push_tag(repository, event["tag"], commit, message=message)
        details = {"message": message, "paths": event["paths"] or ["README.md"]}
        if event["into"]:
            return backend.change_pull_request(
                repository, event["branch"], event["into"], commit, event["event"], **details
            )
        return backend.push_commit(repository, event["branch"], commit, **details)


@click.command()
@click.argument("repository", metavar="OWNER/NAME")
@click.option("--branch", default="main", show_default=True, help="The branch that is pushed to.")
@click.option("--tag", help="Push this tag, and no branch.")
@click.option("--into", metavar="BRANCH", help="Change a pull request from --branch into BRANCH.")
@click.option(
    "--event",
    type=click.Choice(["OPEN", "UPDATED", "CLOSED"]),
    default="OPEN",
    show_default=True,
    help="What happens to the pull request.",
)
@click.option("--commit", help="The commit's id. Default: a random one.")
@click.option("--message", help="The commit's message.")
@click.option("--path", "paths", multiple=True, help="A changed file. Default: README.md.")
def main(**event: Any) -> None:
    """Push a commit or a tag to a repository of the sandbox, or change a pull request.

    Prints the commit, and the ids of the executions that start.
    """
    event["commit"] = event["commit"] or secrets.token_hex(20)
    url = urlsplit(os.environ.get("AWS_ENDPOINT_URL", ""))
    if url.scheme != "http":
        raise click.ClickException("paste the lines that `make sandbox` prints first")
    server = HTTPConnection(url.netloc, timeout=10)
    try:
        server.request("POST", PATH, json.dumps(event))
        answer = server.getresponse()
        body = answer.read().decode()
    except OSError as error:
        raise click.ClickException(
            f"the sandbox at {url.geturl()} does not answer: {error}"
        ) from error
    finally:
        server.close()
    if answer.status != HTTPStatus.OK:
        raise click.ClickException(f"the sandbox answered {answer.status}: {body}")
    started = json.loads(body)
    click.echo(f"commit {event['commit']}")
    click.echo("\n".join(started) or "No pipeline starts.")


if __name__ == "__main__":
    main()
