"""Upstreams in other regions and accounts."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta
from typing import Any
from unittest.mock import patch

from chalicelib import errors
from chalicelib.aws import other_accounts
from chalicelib.aws.clients import Aws
from chalicelib.aws.other_accounts import OtherAccounts
from chalicelib.pipelines.reader import UpstreamReader
from chalicelib.pipelines.upstream import Upstream
from chalicelib.records.log import log_decision
from chalicelib.records.outcomes import Outcome
from tests.simulation.planted_bugs.bug import bug


@bug("Safe", "an upstream elsewhere is looked for at home", seed=14)
def taken_for_home() -> AbstractContextManager[object]:
    return patch.object(Aws, "codepipeline_for", lambda self, _: self.codepipeline)


@bug("Answered", "the external id is not given", seed=14)
def no_external_id() -> AbstractContextManager[object]:
    real = OtherAccounts._assume_role
    return patch.object(
        OtherAccounts,
        "_assume_role",
        lambda self, wanted: real(self, replace(wanted, external_id=None)),
    )


@bug("Safe", "an upstream whose role cannot be assumed is taken for idle", seed=63)
def closed_is_idle() -> AbstractContextManager[object]:
    real = UpstreamReader._read_upstream

    def seen(self: UpstreamReader, wanted: Any) -> Upstream:
        try:
            return real(self, wanted)
        except errors.NotPermitted:
            return Upstream(wanted)

    return patch.object(UpstreamReader, "_read_upstream", seen)


@bug("Live", "a session is used on when it has ended", seed=22)
def session_for_ever() -> AbstractContextManager[object]:
    return patch.object(other_accounts, "RENEW_BEFORE", timedelta(days=-365))


@bug("Answered", "the session's credentials are logged", seed=11)
def session_logged() -> AbstractContextManager[object]:
    real = OtherAccounts._assume_role

    def session(self: OtherAccounts, wanted: Any) -> Any:
        given, ends = real(self, wanted)
        log_decision("gate", Outcome.STILL_HELD, **given)
        return given, ends

    return patch.object(OtherAccounts, "_assume_role", session)
