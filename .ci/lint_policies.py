"""Lints the functions' policies with parliament. Its exit code is the number of findings.

parliament does not know the type ArrayOfARN, which its own copy of AWS's reference gives to
events:TargetArn, so this script adds it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import parliament
import parliament.statement

# Which pipelines there are is known only after the deployment; tests/test_permissions.py says what
# is denied.
EXPECTED = {"RESOURCE_EFFECTIVELY_STAR"}

known = parliament.statement.translate_documentation_types
parliament.statement.translate_documentation_types = lambda name: (
    "Arn" if name == "ArrayOfARN" else known(name)
)

findings = 0
for file in sorted(Path(".chalice").glob("policy-*.json")):
    for finding in parliament.analyze_policy_string(file.read_text()).findings:
        if finding.issue not in EXPECTED:
            findings += 1
            print(f"{file}: {finding.issue} {finding.detail} {finding.location}")
sys.exit(findings)
