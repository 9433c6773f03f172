"""One entry of depends_on."""

from __future__ import annotations

import pytest

from chalicelib.errors import Misconfigured
from chalicelib.pipelines.dependency import Dependency, parse_entry

ARN = "arn:aws:codepipeline:us-east-1:111122223333:infra"
ROLE = "arn:aws:iam::111122223333:role/pipeline-gate-look"


@pytest.mark.parametrize(
    ("dependency", "label"),
    [
        (Dependency("infra"), "infra"),
        (Dependency("infra", stage="Deploy"), "infra's stage Deploy"),
        (Dependency(ARN), "infra (us-east-1)"),
        (Dependency(ARN, role_arn=ROLE), "infra (us-east-1, account 111122223333)"),
        (Dependency(ARN, stage="Deploy"), "infra (us-east-1)'s stage Deploy"),
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
    assert parse_entry(dependency.build_json()) == dependency


def test_a_plain_name_stays_a_plain_name() -> None:
    assert Dependency("infra").build_json() == "infra"


def test_a_key_for_all_upstreams_is_the_default_of_each_entry() -> None:
    assert parse_entry("infra", "succeeded", "pass") == Dependency(
        "infra", require="succeeded", parked="pass"
    )
    assert parse_entry({"pipeline": "infra", "require": "idle"}, "succeeded", "pass") == Dependency(
        "infra", require="idle", parked="pass"
    )


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


def test_an_arn_has_a_region_and_account_and_a_name_does_not() -> None:
    assert (Dependency(ARN).name, Dependency(ARN).region, Dependency(ARN).account) == (
        "infra",
        "us-east-1",
        "111122223333",
    )
    assert (Dependency("infra").name, Dependency("infra").region, Dependency("infra").account) == (
        "infra",
        None,
        None,
    )


@pytest.mark.parametrize(
    "entry",
    [
        {"pipeline": "arn:aws-cn:codepipeline:cn-north-1:111122223333:infra"},
        {"pipeline": "arn:aws-us-gov:codepipeline:us-gov-west-1:111122223333:" + "x" * 100},
        {"pipeline": ARN, "role_arn": ROLE},
        {"pipeline": ARN, "role_arn": "arn:aws:iam::111122223333:role/pipeline-gate-" + "x" * 50},
        {"pipeline": ARN, "role_arn": ROLE, "external_id": "+=,.@:/-"},
        {"pipeline": ARN, "role_arn": ROLE, "external_id": "x" * 1224},
        {"pipeline": "infra", "stage": "x" * 100},
    ],
)
def test_what_stands_at_a_limit_is_accepted(entry: dict[str, object]) -> None:
    assert {**entry, "pipeline": parse_entry(entry).pipeline} == entry


@pytest.mark.parametrize(
    "entry",
    [
        {"pipeline": "arn:aws:codepipeline:us-east-1:11112222333:infra"},
        {"pipeline": "arn:aws:codepipeline:us-east-1:111122223333:" + "x" * 101},
        {"pipeline": ARN + "/Deploy"},
        {"pipeline": ARN + "\n"},
        {"pipeline": "arn:aws:s3:us-east-1:111122223333:infra"},
        {"pipeline": ARN, "role_arn": "arn:aws:iam::111122223333:role/admin"},
        {"pipeline": ARN, "role_arn": "arn:aws:iam::111122223333:role/pipeline-gate-" + "x" * 51},
        {"pipeline": ARN, "role_arn": "arn:aws:iam::111122223333:role/pipeline-gate-x/../admin"},
        {"pipeline": ARN, "role_arn": ROLE.replace("1111", "4444")},
        {"pipeline": "infra", "role_arn": ROLE},
        {"pipeline": ARN, "external_id": "team-7"},
        {"pipeline": ARN, "role_arn": ROLE, "external_id": "x"},
        {"pipeline": ARN, "role_arn": ROLE, "external_id": "x" * 1225},
        {"pipeline": ARN, "role_arn": ROLE, "external_id": "team 7"},
        {"pipeline": "infra", "stage": ""},
        {"pipeline": "infra", "stage": "x" * 101},
        {"pipeline": "infra", "require": "Succeeded"},
        {"pipeline": "infra", "parked": True},
        {"pipeline": ["infra"]},
        {"name": "infra"},
        ["infra"],
        None,
    ],
)
def test_what_lies_beyond_is_refused(entry: object) -> None:
    with pytest.raises(Misconfigured):
        parse_entry(entry)
