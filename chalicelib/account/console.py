"""Links into the AWS console."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

_HOSTS = {"aws-cn": "console.amazonaws.cn", "aws-us-gov": "console.amazonaws-us-gov.com"}
"""The console's host by partition. In other partitions it is console.aws.amazon.com (practice)."""


@dataclass(frozen=True)
class ConsoleLinks:
    """The addresses of the console's pages in one region, as a browser shows them.

    (practice: AWS does not promise any of them.)
    """

    region: str
    partition: str = "aws"

    def pipeline(self, name: str) -> str:
        return f"{self._pipeline_page(name)}/view?region={self.region}"

    def execution(self, pipeline: str, id_: str) -> str:
        page = f"{self._pipeline_page(pipeline)}/executions/{quote(id_, safe='')}/timeline"
        return f"{page}?region={self.region}"

    def rule(self, name: str) -> str:
        page = f"{self._console}/events/home?region={self.region}"
        return f"{page}#/eventbus/default/rules/{quote(name, safe='')}"

    def _pipeline_page(self, name: str) -> str:
        return f"{self._console}/codesuite/codepipeline/pipelines/{quote(name, safe='')}"

    @property
    def _console(self) -> str:
        return f"https://{self.region}.{_HOSTS.get(self.partition, 'console.aws.amazon.com')}"
