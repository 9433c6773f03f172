"""Reads the facts from AWS, with the caller's own credentials."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from chalicelib.account.pipeline import Pipeline, list_unseen_pipelines
from chalicelib.account.reader import MAX_CALLS_AT_ONCE, AccountReader
from chalicelib.account.waits import HoldRule
from chalicelib.aws.codepipeline import CodePipeline
from chalicelib.errors import PipelineNotFound
from chalicelib.holds.fate import Evidence, HoldFate, find_fate
from chalicelib.holds.hold import Hold
from chalicelib.holds.reader import complete_fate
from chalicelib.holds.rule import read_stage
from chalicelib.pipelines.dependency import Dependency
from chalicelib.pipelines.execution import LOOK_BACK, Execution
from gatectl.findings import function_roles, iam, lambdas, pipeline_roles
from gatectl.findings.facts import Facts, Function
from gatectl.findings.looks import Looks
from gatectl.functions import deployed
from gatectl.session import Place

IAM_AT_ONCE = 4
"""IAM is one for all regions of an account, and throttles early."""


class Reading:
    """One region of an account, to be read again and again: structures of pipelines that have not
    changed are not read anew.
    """

    def __init__(self, place: Place) -> None:
        # All clients are made here, for boto3 does not make them on several threads at once (guide:
        # boto3, "Clients", multithreading).
        self._place = place
        self._clients = {
            service: place.client(service)
            for service in ("sts", "lambda", "events", "codepipeline", "iam")
        }
        self._account = AccountReader(self._clients.__getitem__)
        self._looks = Looks()

    def facts(self) -> Facts:
        """All that is there now. Raises NoAnswer where AWS does not answer, and botocore's errors
        where it cannot be asked at all.
        """
        self._looks = Looks()
        look = self._looks.at
        _, partition, _, _, account, _ = (
            self._clients["sts"].get_caller_identity()["Arn"].split(":", 5)
        )
        facts = Facts(datetime.now(UTC), partition, self._place.region, account)
        facts = replace(
            facts,
            deployed=look(
                "which functions are deployed",
                "lambda:ListFunctions",
                lambda: tuple(deployed(self._place)),
            ),
        )
        with self._place.progress("reading pipelines") as progress:
            facts = replace(
                facts,
                pipelines=look("the pipelines", "", lambda: self._account.read_pipelines(progress)),
            )
        self._looks.aside(list_unseen_pipelines(facts.pipelines or {}))
        facts = replace(
            facts,
            functions=lambdas.functions(self._clients["lambda"], self._looks, facts.deployed or ()),
            rules=look("the gate's rules", "", self._account.read_rules),
            rules_in_all=look("how many rules there are", "events:ListRules", self._count_rules),
        )
        facts = replace(
            facts,
            executions=self._executions(facts.pipelines or {}, facts.rules or (), facts.now),
            elsewhere=self._elsewhere(facts),
            buses=self._buses(facts),
        )
        facts = replace(facts, fates=self._read_fates(facts))
        return self._with_answers(facts)

    def _count_rules(self) -> int:
        return sum(
            len(page["Rules"])
            for page in self._clients["events"].get_paginator("list_rules").paginate()
        )

    def _executions(
        self, pipelines: Mapping[str, Pipeline], rules: Iterable[HoldRule], now: datetime
    ) -> dict[str, tuple[Execution, ...]]:
        """Of the pipelines that are held, back to the holds, and of those that they wait for."""
        since: dict[str, datetime] = {}
        for hold in (rule.hold for rule in rules if rule.hold):
            for name, begun in (
                (hold.pipeline, hold.since),
                *((one.name, now) for one in hold.depends_on),
            ):
                if name in pipelines:
                    since[name] = min(begun, since.get(name, now))
        room = CodePipeline(self._clients["codepipeline"])

        def ask(name: str) -> tuple[Execution, ...] | None:
            try:
                return self._looks.at(
                    "what became of held executions",
                    "",
                    lambda: room.list_executions(name, since[name] - LOOK_BACK),
                )
            except PipelineNotFound:
                return None  # deleted since it was listed

        with ThreadPoolExecutor(MAX_CALLS_AT_ONCE) as pool:
            return {
                name: told
                for name, told in zip(since, pool.map(ask, since), strict=True)
                if told is not None
            }

    def _read_fates(self, facts: Facts) -> dict[str, HoldFate]:
        """What became of each rule's hold, where its pipeline's executions were read."""
        codepipeline = CodePipeline(self._clients["codepipeline"])

        def read_fate(rule: HoldRule, hold: Hold) -> HoldFate:
            evidence = Evidence(
                hold.pipeline,
                hold.execution,
                read_stage(rule.name, hold.execution),
                executions=facts.executions[hold.pipeline],
                complete=True,
            )
            fate = self._looks.at(
                "what became of held executions",
                "",
                lambda: complete_fate(codepipeline, hold, evidence)[0],
            )
            return fate or find_fate(evidence)

        holds = [
            (rule, rule.hold)
            for rule in facts.rules or ()
            if rule.hold and rule.hold.pipeline in facts.executions
        ]
        with ThreadPoolExecutor(MAX_CALLS_AT_ONCE) as pool:
            fates = pool.map(lambda held: read_fate(*held), holds)
            return {rule.name: fate for (rule, _), fate in zip(holds, fates, strict=True)}

    def _elsewhere(self, facts: Facts) -> dict[str, tuple[str, ...]]:
        asked = [
            gate.parameters
            for pipeline in (facts.pipelines or {}).values()
            for gate in pipeline.gates
            if gate.parameters
        ]
        wanted = {
            one.pipeline: one
            for each in asked
            for one in each.depends_on
            if one.account == facts.account and not one.role_arn
        }
        gone: tuple[str, ...] = ()
        told = {
            arn: self._looks.at(
                f"the pipeline {arn}",
                "codepipeline:GetPipeline",
                partial(self._stages, one),
                gone,
                or_unanswered=True,
            )
            for arn, one in wanted.items()
            if one.region != facts.region
        }
        return {arn: stages for arn, stages in told.items() if stages is not None}

    def _stages(self, wanted: Dependency) -> tuple[str, ...]:
        declared = self._place.client("codepipeline", wanted.region).get_pipeline(name=wanted.name)[
            "pipeline"
        ]
        return tuple(stage["name"] for stage in declared["stages"])

    def _buses(self, facts: Facts) -> dict[str, bool]:
        """Those of this region and account that the functions name."""

        def ask(bus: str) -> bool | None:
            what = f"whether the event bus {bus} is there"
            room = self._clients["events"]
            return self._looks.at(
                what,
                "events:DescribeEventBus",
                lambda: bool(room.describe_event_bus(Name=bus)),
                gone=False,
            )

        told = {
            bus: ask(bus)
            for bus in sorted(set(map(_bus, facts.functions.values())))
            if _is_here(bus, facts)
        }
        return {bus: there for bus, there in told.items() if there is not None}

    def _with_answers(self, facts: Facts) -> Facts:
        questions = list(
            dict.fromkeys([*function_roles.questions(facts), *pipeline_roles.questions(facts)])
        )
        ask = partial(iam.answer, self._clients["iam"], self._looks)
        with (
            self._place.progress("asking IAM about roles") as progress,
            ThreadPoolExecutor(IAM_AT_ONCE) as pool,
        ):
            told = []
            for number, answer in enumerate(pool.map(ask, questions), 1):
                progress(number, len(questions))
                told.append(answer)
        answers = {
            question: answer
            for question, answer in zip(questions, told, strict=True)
            if answer is not None
        }
        facts = replace(facts, answers=answers)
        said = {
            policy: iam.policy(self._clients["iam"], self._looks, *policy)
            for policy in pipeline_roles.policies(facts)
        }
        known = {policy: document for policy, document in said.items() if document is not None}
        return replace(facts, policies=known, unseen=self._looks.unseen)


def _bus(function: Function) -> str:
    return function.environment.get("EVENT_BUS", "")


def _is_here(bus: str, facts: Facts) -> bool:
    home = f"arn:{facts.partition}:events:{facts.region}:{facts.account}:"
    return bool(bus) and (not bus.startswith("arn:") or bus.startswith(home))
