"""One call of any service as plain data: it can be shown as an AWS CLI command, or be made."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore import xform_name

from chalicelib.errors import NoAnswer, translate_errors


@dataclass(frozen=True)
class AwsCommand:
    """`operation` and `parameters` as the AWS SDK for Python has them ("delete_rule", {"Name":
    ...}).
    """

    service: str
    operation: str
    parameters: Mapping[str, Any]

    @property
    def action(self) -> str:
        """The call as IAM names it, such as "events:DeleteRule"."""
        return f"{self.service}:{''.join(word.title() for word in self.operation.split('_'))}"

    @property
    def words(self) -> tuple[str, ...]:
        """The same call by the AWS CLI."""
        options = [
            word
            for name, value in self.parameters.items()
            for word in (f"--{xform_name(name, '-')}", *_list_values(value))
        ]
        return ("aws", self.service, self.operation.replace("_", "-"), *options)

    def run(self, make_client: Callable[[str], Any]) -> None:
        """Make the call.

        Raises NotFound if what it is about is gone, NotPermitted, NoAnswer or UnexpectedAnswer.
        `make_client`: makes a botocore client of a service.
        """
        client = make_client(self.service)
        with translate_errors(self.action):
            answer = getattr(client, self.operation)(**self.parameters)
        # A call succeeds even if an entry failed (model: PutTargets, RemoveTargets).
        if answer.get("FailedEntryCount"):
            raise NoAnswer(f"{self.action} did not take effect")


def _list_values(value: object) -> Sequence[str]:
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return value
    return [value if isinstance(value, str) else json.dumps(value)]
