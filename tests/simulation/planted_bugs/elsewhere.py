"""Upstreams in other regions and accounts."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta
from typing import Any
from unittest.mock import patch

from chalicelib import errors
from chalicelib.aws import clients as aws
from chalicelib.aws import other_accounts as elsewhere
from chalicelib.pipelines import reader as asking
from chalicelib.pipelines import upstream
from chalicelib.records import log
from tests.simulation.planted_bugs.bug import bug


@bug("Safe", "an upstream elsewhere is looked for at home", seed=14)
def taken_for_home() -> AbstractContextManager[object]:
    return patch.object(aws.Aws, "codepipeline_for", lambda self, _: self.codepipeline)


@bug("Answered", "the external id is not given", seed=14)
def no_external_id() -> AbstractContextManager[object]:
    real = elsewhere.OtherAccounts._session
    return patch.object(
        elsewhere.OtherAccounts,
        "_session",
        lambda self, wanted: real(self, replace(wanted, external_id=None)),
    )


@bug("Safe", "an upstream whose role cannot be assumed is taken for idle", seed=63)
def closed_is_idle() -> AbstractContextManager[object]:
    real = asking.UpstreamReader._read_upstream

    def seen(self: asking.UpstreamReader, wanted: Any) -> upstream.Upstream:
        try:
            return real(self, wanted)
        except errors.NotPermitted:
            return upstream.Upstream(wanted)

    return patch.object(asking.UpstreamReader, "_read_upstream", seen)


@bug("Live", "a session is used on when it has ended", seed=22)
def session_for_ever() -> AbstractContextManager[object]:
    return patch.object(elsewhere, "RENEW_BEFORE", timedelta(days=-365))


@bug("Answered", "the session's credentials are logged", seed=11)
def session_logged() -> AbstractContextManager[object]:
    real = elsewhere.OtherAccounts._session

    def session(self: elsewhere.OtherAccounts, wanted: Any) -> Any:
        given, ends = real(self, wanted)
        log.log_decision("gate", "session", **given)
        return given, ends

    return patch.object(elsewhere.OtherAccounts, "_session", session)
