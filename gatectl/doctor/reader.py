"""Reads the evidence from AWS, with the caller's own credentials."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from chalicelib.account.pipeline import list_unseen_pipelines
from chalicelib.account.reader import MAX_CALLS_AT_ONCE, AccountReader
from chalicelib.account.waits import HoldRule
from chalicelib.aws.iam import PolicyAnswer, PolicyQuestion
from chalicelib.holds.fate import Evidence, HoldFate, find_fate
from chalicelib.holds.hold import Hold
from chalicelib.holds.reader import complete_fate
from chalicelib.holds.rule import read_stage
from chalicelib.pipelines.dependency import Dependency
from chalicelib.pipelines.execution import LOOK_BACK, Execution
from gatectl.doctor import function_roles, pipeline_roles
from gatectl.doctor.aws import (
    Inspector,
    ask_iam,
    read_functions,
    read_policies,
    read_sharing_regions,
)
from gatectl.doctor.evidence import DoctorEvidence
from gatectl.functions import list_deployments
from gatectl.session import Place

MAX_IAM_CALLS_AT_ONCE = 4
"""All regions of an account share IAM, which throttles early."""
HELD_EXECUTIONS = "what became of held executions"


class DoctorReader:
    """Reads one region of an account, any number of times. Structures of pipelines that have not
    changed are not read again.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self._account = AccountReader(place.client)
        self._inspector = Inspector()

    def read_evidence(self) -> DoctorEvidence:
        """Return the evidence. Raises NoAnswer if AWS does not answer, and botocore's errors if no
        call can be made.
        """
        place = self._place
        self._inspector = Inspector()
        inspect = self._inspector.inspect
        evidence = DoctorEvidence(
            datetime.now(UTC),
            place.caller.partition,
            place.region,
            place.caller.account,
            deployed=inspect(
                "which functions are deployed", lambda: tuple(list_deployments(place))
            ),
        )
        with place.show_progress("reading pipelines") as progress:
            read_pipelines = partial(self._account.read_pipelines, progress)
            evidence = replace(evidence, pipelines=inspect("the pipelines", read_pipelines))
        self._inspector.add_unseen_pipelines(list_unseen_pipelines(evidence.pipelines or {}))
        evidence = replace(
            evidence,
            functions=read_functions(place.functions, self._inspector, evidence.deployed or ()),
            rules=inspect("the gate's rules", self._account.read_rules),
            rules_in_all=inspect(
                "the number of rules", lambda: len(place.eventbridge.list_rules())
            ),
        )
        evidence = replace(
            evidence,
            executions=self._read_executions(evidence),
            elsewhere=self._read_other_regions(evidence),
            buses=self._read_buses(evidence),
        )
        sharing = read_sharing_regions(
            place.iam, place.connect_functions, self._inspector, evidence
        )
        evidence = replace(evidence, sharing_regions=sharing)
        evidence = replace(evidence, fates=self._read_fates(evidence))
        evidence = replace(evidence, answers=self._ask_iam(evidence))
        evidence = replace(evidence, policies=read_policies(place.iam, self._inspector, evidence))
        return replace(evidence, unseen=self._inspector.unseen)

    def _read_executions(self, evidence: DoctorEvidence) -> Mapping[str, tuple[Execution, ...]]:
        """Return those of held pipelines, back to their holds, and of their upstreams."""
        since: dict[str, datetime] = {}
        for hold in (rule.hold for rule in evidence.rules or () if rule.hold):
            upstreams = ((dependency.name, evidence.now) for dependency in hold.depends_on)
            for name, start in ((hold.pipeline, hold.since), *upstreams):
                if name in (evidence.pipelines or {}):
                    since[name] = min(start, since.get(name, evidence.now))

        def read(name: str) -> tuple[Execution, ...] | None:
            list_executions = partial(
                self._place.codepipeline.list_executions, name, since[name] - LOOK_BACK
            )
            return self._inspector.inspect(HELD_EXECUTIONS, list_executions)

        with ThreadPoolExecutor(MAX_CALLS_AT_ONCE) as pool:
            executions = zip(since, pool.map(read, since), strict=True)
            return {name: answer for name, answer in executions if answer is not None}

    def _read_fates(self, evidence: DoctorEvidence) -> Mapping[str, HoldFate]:
        """Return what became of each rule's hold, if its pipeline's executions were read."""

        def read_fate(held: tuple[HoldRule, Hold]) -> HoldFate:
            rule, hold = held
            evidence_of_hold = Evidence(
                hold.pipeline,
                hold.execution,
                read_stage(rule.name, hold.execution),
                hold.restarted_as,
                executions=evidence.executions[hold.pipeline],
            )
            fate = self._inspector.inspect(
                HELD_EXECUTIONS,
                lambda: complete_fate(self._place.codepipeline, hold, evidence_of_hold)[0],
                find_fate(replace(evidence_of_hold, pipeline_exists=False)),
            )
            return fate or find_fate(evidence_of_hold)

        holds = [
            (rule, rule.hold)
            for rule in evidence.rules or ()
            if rule.hold and rule.hold.pipeline in evidence.executions
        ]
        with ThreadPoolExecutor(MAX_CALLS_AT_ONCE) as pool:
            fates = zip(holds, pool.map(read_fate, holds), strict=True)
            return {rule.name: fate for (rule, _), fate in fates}

    def _read_other_regions(self, evidence: DoctorEvidence) -> Mapping[str, tuple[str, ...]]:
        """Return the stages of upstreams in other regions of this account, by ARN."""
        dependencies = {
            dependency.pipeline: dependency
            for pipeline in (evidence.pipelines or {}).values()
            for dependency in pipeline.depends_on
            if dependency.account == evidence.account
            and not dependency.role_arn
            and dependency.region != evidence.region
        }
        missing: tuple[str, ...] = ()
        stages = {
            arn: self._inspector.inspect(
                f"the pipeline {arn}",
                partial(self._read_stages, dependency),
                missing,
                or_unanswered=True,
            )
            for arn, dependency in dependencies.items()
        }
        return {arn: names for arn, names in stages.items() if names is not None}

    def _read_stages(self, dependency: Dependency) -> tuple[str, ...]:
        codepipeline = self._place.connect_codepipeline(dependency.region)
        declaration, _ = codepipeline.read_declaration(dependency.name)
        return tuple(stage["name"] for stage in declaration["stages"])

    def _read_buses(self, evidence: DoctorEvidence) -> Mapping[str, bool]:
        """Return whether the functions' event buses in this region and account exist."""
        home = f"arn:{evidence.partition}:events:{evidence.region}:{evidence.account}:"

        def read(bus: str) -> bool | None:
            return self._inspector.inspect(
                f"whether the event bus {bus} exists",
                partial(self._place.eventbridge.has_bus, bus),
            )

        names = sorted({function.event_bus for function in evidence.functions.values()} - {""})
        buses = {
            name: read(name)
            for name in names
            if not name.startswith("arn:") or name.startswith(home)
        }
        return {name: exists for name, exists in buses.items() if exists is not None}

    def _ask_iam(self, evidence: DoctorEvidence) -> Mapping[PolicyQuestion, PolicyAnswer]:
        questions = list(
            dict.fromkeys(
                [
                    *function_roles.list_questions(evidence),
                    *pipeline_roles.list_questions(evidence),
                ]
            )
        )
        ask = partial(ask_iam, self._place.iam, self._inspector)
        answers = {}
        with (
            self._place.show_progress("checking roles with IAM") as progress,
            ThreadPoolExecutor(MAX_IAM_CALLS_AT_ONCE) as pool,
        ):
            for question, answer in zip(questions, pool.map(ask, questions), strict=True):
                answers[question] = answer
                progress(len(answers), len(questions))
        return {question: answer for question, answer in answers.items() if answer is not None}
