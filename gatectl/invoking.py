"""May a pipeline's role invoke its gate? What the doctor looks at, of the one pipeline that gets
its gate now.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.account.pipeline import Pipeline
from chalicelib.errors import NoAnswer, UnexpectedAnswer
from gatectl.findings import iam, lambdas, pipeline_roles
from gatectl.findings.facts import Facts
from gatectl.findings.finding import Finding
from gatectl.findings.looks import Looks
from gatectl.functions import Deployed
from gatectl.session import Place
from gatectl.structure import Declaration


def look(place: Place, declared: Declaration) -> list[Finding] | None:
    """What is wrong with the role of a pipeline so `declared`; None where that cannot be told, as
    where IAM may not be asked.
    """
    try:
        return _look(place, Pipeline.parse(declared))
    except (
        ClientError,
        BotoCoreError,
        NoAnswer,
        UnexpectedAnswer,
    ):  # it is a look ahead, and stops nobody from attaching
        return None


def _look(place: Place, pipeline: Pipeline) -> list[Finding] | None:
    looks, client = Looks(), place.client("iam")
    partition = pipeline.role.split(":")[1]
    facts = Facts(
        datetime.now(UTC),
        partition,
        place.region,
        place.account,
        pipelines={pipeline.name: pipeline},
    )
    told = {
        question: iam.answer(client, looks, question)
        for question in pipeline_roles.questions(facts)
    }
    facts = replace(
        facts, answers={question: answer for question, answer in told.items() if answer}
    )
    if not told or len(facts.answers) < len(told):
        return None
    if any(
        answer.refused for answer in facts.answers.values()
    ):  # the function's own policy may let it in all the same
        stages = [
            Deployed(gate.deployed_as, has_gate=True, has_retry=False) for gate in pipeline.gates
        ]
        facts = replace(facts, functions=lambdas.functions(place.client("lambda"), looks, stages))
        if looks.unseen:
            return None
        said = {
            policy: iam.policy(client, looks, *policy) for policy in pipeline_roles.policies(facts)
        }
        facts = replace(
            facts,
            policies={
                policy: document for policy, document in said.items() if document is not None
            },
        )
    found = list(pipeline_roles.findings(facts))
    return found if all(one.severity == "error" for one in found) else None


def caution(finding: Finding) -> str:
    """What it means, and what to do about it afterwards."""
    how = (
        "Afterwards `gatectl doctor --mend` lets it invoke the gate, and asks first."
        if finding.calls
        else finding.how
    )
    return f"{finding.where[0].upper()}{finding.where[1:]}: {finding.what} {finding.means} {how}"


def told(found: list[Finding] | None) -> str:
    """The last sentence of all, when the gate is there."""
    if found is None:
        return "Its role must be allowed to invoke the gate: `gatectl doctor` looks whether it is."
    if not found:
        return "Its role may invoke the gate."
    how = (
        "`gatectl doctor --mend` lets it, and asks first"
        if all(one.calls for one in found)
        else "`gatectl doctor` says why"
    )
    return f"Its role may not invoke the gate yet, and the gate action fails: {how}."
