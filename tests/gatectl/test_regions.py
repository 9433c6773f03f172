"""Upstreams whose ARN names a region or a partition that does not exist."""

from __future__ import annotations

import socket
from unittest.mock import Mock

import pytest

from sandbox.account import ACCOUNT
from tests.support.ask import ask
from tests.support.cli import run
from tests.support.refused import run_refused
from tests.support.scene import Scene

ARN = f"arn:aws:codepipeline:eu-centrall-1:{ACCOUNT}:infra"
CHINESE = ARN.replace("arn:aws:", "arn:aws-cn:")


@pytest.fixture(autouse=True)
def _no_such_name(monkeypatch: pytest.MonkeyPatch) -> None:
    error = socket.gaierror(socket.EAI_NONAME, "no such name")
    monkeypatch.setattr("chalicelib.aws.regions.socket.getaddrinfo", Mock(side_effect=error))


@pytest.mark.parametrize(
    ("arn", "sentence"),
    [
        (ARN, "There is no region eu-centrall-1 with CodePipeline in your partition"),
        (CHINESE, "The ARN of infra begins with arn:aws-cn:, but the gate is in partition aws"),
    ],
)
def test_attach_refuses_them(scene: Scene, arn: str, sentence: str) -> None:
    scene.pipeline("k8s")
    assert run_refused("attach", "k8s", "--depends-on", arn).startswith(f"Error: {sentence}")


@pytest.mark.parametrize(("arn", "kind"), [(ARN, "no-upstream"), (CHINESE, "gate-refuses")])
def test_check_finds_them(scene: Scene, arn: str, kind: str) -> None:
    scene.gated("k8s", ask(arn, pipeline="k8s"))
    report = run("check", "--lines")
    assert report.status == 1
    assert f"[{kind}]" in report.out
