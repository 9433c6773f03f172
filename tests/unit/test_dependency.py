"""One entry of depends_on."""

from __future__ import annotations

import pytest

from chalicelib.dependency import Dependency, read

ARN = "arn:aws:codepipeline:us-east-1:111122223333:infra"
ROLE = "arn:aws:iam::111122223333:role/pipeline-gate-look"


@pytest.mark.parametrize(
    ("dependency", "label"),
    [
        (Dependency("infra"), "infra"),
        (Dependency("infra", stage="Deploy"), "infra's stage Deploy"),
        (Dependency(ARN), "infra (us-east-1)"),
        (Dependency(ARN, role_arn=ROLE), "infra (us-east-1, account 111122223333)"),
    ],
)
def test_what_people_read(dependency: Dependency, label: str) -> None:
    assert dependency.label == label


@pytest.mark.parametrize(
    "dependency",
    [
        Dependency("infra"),
        Dependency("infra", require="succeeded"),
        Dependency("infra", stage="Deploy", parked="pass"),
        Dependency(ARN),
        Dependency(ARN, role_arn=ROLE, external_id="team-7"),
    ],
)
def test_it_survives_the_rules_input(dependency: Dependency) -> None:
    assert read(dependency.as_json()) == dependency


def test_a_plain_name_stays_a_plain_name() -> None:
    assert Dependency("infra").as_json() == "infra"


def test_what_is_said_for_all_holds_where_an_entry_says_nothing() -> None:
    assert read("infra", "succeeded", "pass") == Dependency("infra", require="succeeded", parked="pass")
    assert read({"pipeline": "infra", "require": "idle"}, "succeeded", "pass") == Dependency("infra", require="idle", parked="pass")


@pytest.mark.parametrize(
    ("dependency", "own"),
    [
        (Dependency("k8s"), True),
        (Dependency("infra"), False),
        (Dependency("arn:aws:codepipeline:eu-west-1:111122223333:k8s"), True),
        (Dependency("arn:aws:codepipeline:us-east-1:111122223333:k8s"), False),
        (Dependency("arn:aws:codepipeline:eu-west-1:444455556666:k8s"), False),
    ],
)
def test_whether_it_is_the_pipeline_that_asks(dependency: Dependency, own: bool) -> None:
    assert dependency.is_pipeline("k8s", "eu-west-1", "111122223333") is own
