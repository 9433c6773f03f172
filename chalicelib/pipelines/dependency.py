"""A dependency: one entry of depends_on, as a gate action writes it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, cast

from chalicelib.errors import Misconfigured
from chalicelib.phrases import join_values, name_json_kind, quote
from chalicelib.pipelines.execution import NAME

Require = Literal["idle", "succeeded"]
Parked = Literal["wait", "pass"]
REQUIRE: tuple[Require, ...] = ("idle", "succeeded")
PARKED: tuple[Parked, ...] = ("wait", "pass")
KEYS = ("pipeline", "require", "stage", "parked", "role_arn", "external_id")

_PIPELINE_ARN = re.compile(
    r"arn:(?P<partition>[\w-]+):codepipeline:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):"
    rf"(?P<name>{NAME})",
    re.ASCII,
)
_ROLE_ARN = re.compile(
    r"arn:[\w-]+:iam::(?P<account>\d{12}):role/pipeline-gate-[\w+=,.@-]{1,50}", re.ASCII
)
"""The gate's policy allows sts:AssumeRole only for roles with such a name
(.chalice/policy-gate.json).
"""
_EXTERNAL_ID = re.compile(r"[\w+=,.@:/-]{2,1224}", re.ASCII)  # model: sts externalIdType


@dataclass(frozen=True)
class Dependency:
    """A pipeline to wait for, and what to wait for.

    `pipeline`: a name, or the ARN of a pipeline in another region or account.
    `require`: whether the pipeline has to be idle, or idle after a success.
    `stage`: the only stage that counts; None: the whole pipeline counts.
    `parked`: whether to wait for an execution that is waiting for a person.
    `role_arn`, `external_id`: the role to assume in the pipeline's account.
    """

    pipeline: str
    require: Require = "idle"
    stage: str | None = None
    parked: Parked = "wait"
    role_arn: str | None = None
    external_id: str | None = None

    @property
    def name(self) -> str:
        """The pipeline's name, even if `pipeline` is an ARN."""
        return self.pipeline.rpartition(":")[2]

    @property
    def region(self) -> str | None:
        """The region in the pipeline's ARN; None if it is the gate's own."""
        return self._read_arn_part("region")

    @property
    def account(self) -> str | None:
        """The account in the pipeline's ARN; None if it is the gate's own."""
        return self._read_arn_part("account")

    @property
    def partition(self) -> str | None:
        """The partition in the pipeline's ARN, such as "aws"; None if it is the gate's own."""
        return self._read_arn_part("partition")

    def _read_arn_part(self, name: str) -> str | None:
        arn = _PIPELINE_ARN.fullmatch(self.pipeline)
        return arn[name] if arn else None

    @property
    def label(self) -> str:
        """The dependency in words.

        "infra", "infra's stage Deploy", "infra (us-east-1)" or
        "infra (us-east-1, account 111122223333)".
        """
        label = self.name
        if self.region:
            account = f", account {self.account}" if self.role_arn else ""
            label += f" ({self.region}{account})"
        return f"{label}'s stage {self.stage}" if self.stage else label

    def is_pipeline(self, name: str, region: str, account: str) -> bool:
        """Return whether this is the pipeline `name` in the gate's own `region` and `account`."""
        return (
            self.name == name and self.region in (None, region) and self.account in (None, account)
        )

    def relative_to(self, region: str) -> Dependency:
        """Return the dependency with a plain name instead of an ARN if the pipeline is local.

        `region` is the gate's own. A pipeline that needs no role is in the gate's account.
        """
        if self.region == region and self.role_arn is None:
            return replace(self, pipeline=self.name)
        return self

    def build_json(self) -> str | dict[str, str]:
        """Return the shortest entry of depends_on that `parse_entry` reads as this dependency."""
        values = {
            "pipeline": self.pipeline,
            "require": None if self.require == "idle" else self.require,
            "stage": self.stage,
            "parked": None if self.parked == "wait" else self.parked,
            "role_arn": self.role_arn,
            "external_id": self.external_id,
        }
        fields = {key: value for key, value in values.items() if value is not None}
        return self.pipeline if len(fields) == 1 else fields


def parse_entry(value: object, require: Require = "idle", parked: Parked = "wait") -> Dependency:
    """Read one entry of depends_on. Raises Misconfigured.

    `require` and `parked` are used if the entry does not have its own.
    """
    if isinstance(value, str):
        return Dependency(_check_pipeline(value), require=require, parked=parked)
    if not isinstance(value, Mapping):
        raise Misconfigured(
            "Each entry of depends_on must be a pipeline's name, its ARN or an object like "
            f'{{"pipeline": "infra"}}, not {name_json_kind(value)}.'
        )
    for key in value:
        if key not in KEYS:
            raise Misconfigured(
                f"An entry of depends_on has an unknown key {quote(str(key))}. The known keys are "
                f"{', '.join(KEYS)}."
            )
    if "pipeline" not in value:
        raise Misconfigured(
            'An entry of depends_on has no "pipeline", the name of the pipeline to wait for.'
        )
    dependency = Dependency(
        pipeline=_check_pipeline(value["pipeline"]),
        require=cast(Require, check_choice(REQUIRE, value.get("require", require), "require")),
        stage=_check_stage(value["stage"]) if "stage" in value else None,
        parked=cast(Parked, check_choice(PARKED, value.get("parked", parked), "parked")),
        role_arn=_check_role(value["role_arn"]) if "role_arn" in value else None,
        external_id=_check_external_id(value["external_id"]) if "external_id" in value else None,
    )
    _refuse_mismatched_role(dependency)
    return dependency


def check_choice(allowed: tuple[str, ...], value: object, key: str) -> str:
    """Return `value` if it is one of the words that `key` allows. Raises Misconfigured."""
    if not isinstance(value, str) or value not in allowed:
        shown = quote(value) if isinstance(value, str) else name_json_kind(value)
        raise Misconfigured(f"{key} is {shown}, but must be one of {join_values(allowed)}.")
    return value


def _check_pipeline(value: object) -> str:
    if not isinstance(value, str):
        raise Misconfigured(
            "In an entry of depends_on, pipeline must be a name or an ARN, not "
            f"{name_json_kind(value)}."
        )
    if not re.fullmatch(NAME, value) and not _PIPELINE_ARN.fullmatch(value):
        raise Misconfigured(
            f"depends_on has {quote(value)}, which is not a pipeline's name: it must be 1 to 100 "
            "letters, digits and . @ - _ (separate several names by commas), or an ARN "
            "arn:aws:codepipeline:REGION:ACCOUNT:NAME."
        )
    return value


def _check_stage(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(NAME, value):
        shown = quote(value) if isinstance(value, str) else name_json_kind(value)
        raise Misconfigured(
            "stage must be the name of one of the upstream's stages (1 to 100 letters, digits "
            f"and . @ - _), not {shown}."
        )
    return value


def _check_role(value: object) -> str:
    if not isinstance(value, str) or not _ROLE_ARN.fullmatch(value):
        shown = quote(value) if isinstance(value, str) else name_json_kind(value)
        raise Misconfigured(
            f"role_arn is {shown}, but must be the ARN of a role that the gate may assume: "
            "arn:aws:iam::ACCOUNT:role/pipeline-gate-NAME."
        )
    return value


def _check_external_id(value: object) -> str:
    if not isinstance(value, str) or not _EXTERNAL_ID.fullmatch(value):
        raise Misconfigured(
            "external_id must be a string of 2 to 1224 letters, digits and + = , . @ : / - _."
        )
    return value


def _refuse_mismatched_role(dependency: Dependency) -> None:
    if dependency.external_id and not dependency.role_arn:
        raise Misconfigured(
            f"depends_on has an external_id for {dependency.name}, but no role_arn to use it with."
        )
    if dependency.role_arn:
        role = _ROLE_ARN.fullmatch(dependency.role_arn)
        if role is None or dependency.account != role["account"]:
            raise Misconfigured(
                f"role_arn belongs to another account than the pipeline {dependency.name}. Write "
                "the pipeline as an ARN with the role's account: "
                "arn:aws:codepipeline:REGION:ACCOUNT:NAME."
            )
