"""What `gatectl doctor` finds. reading.py asks AWS for the facts (facts.py); the other modules say,
each of its subject and as pure functions of the facts, what is wrong (finding.py).
"""

from __future__ import annotations

from gatectl.findings import (
    deployments,
    function_roles,
    functions,
    invocation,
    pipeline_roles,
    pipelines,
    rules,
)
from gatectl.findings.facts import Facts
from gatectl.findings.finding import SEVERITIES, Finding

SUBJECTS = (deployments, functions, invocation, function_roles, pipeline_roles, pipelines, rules)


def examine(facts: Facts) -> list[Finding]:
    """All that is wrong, the worst first."""
    found = [one for subject in SUBJECTS for one in subject.findings(facts)]
    return sorted(found, key=lambda one: SEVERITIES.index(one.severity))
