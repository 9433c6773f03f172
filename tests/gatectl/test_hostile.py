"""What gatectl does with settings, files and answers that are broken or not from AWS: it prints a
sentence and ends with a status of its table. Never a traceback, 1 for a crash, or text that a
terminal obeys.
"""

from __future__ import annotations

import ast
import json
import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock, patch

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError
from botocore.httpsession import URLLib3Session
from hypothesis import given
from hypothesis import strategies as st
from moto.core.botocore_stubber import BotocoreStubber

from gatectl.session import AWS_REFUSED, FAILED, FAULTS_FOUND, NOT_SET_UP, WRONG_USE, Place
from tests.gatectl.conftest import Fail
from tests.support.ask import ask
from tests.support.cli import Said, run
from tests.support.refused import run_refused
from tests.support.scene import Scene

ROOT = Path(__file__).parents[2]
GATED = json.loads((ROOT / "examples/k8s.json").read_text())["pipeline"]
HOSTILE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
ESCAPES = "\x1b[2K\rfine\x07\x9b\u202e\u2066"
COMMANDS = [
    ("holds",),
    ("holds", "--ended", "24h"),
    ("check", "--lines"),
    ("graph",),
    ("graph", "--format", "mermaid"),
    ("doctor",),
    ("explain", "k8s"),
    ("history", "k8s", "--depends-on", "infra"),
    ("attach", "k8s", "--depends-on", "infra", "--yes"),
    ("detach", "k8s", "--yes"),
    ("release", "k8s", "--yes"),
    ("cancel", "k8s", "--yes"),
]


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    """An AWS configuration with nothing in it; returns a function that writes it."""
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN", "PROFILE", "REGION"):
        monkeypatch.delenv(f"AWS_{name}", raising=False)
    config = tmp_path / "config"
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setenv("HOME", str(tmp_path))

    def write(text: str) -> None:
        config.write_text(text)

    return write


@pytest.fixture
def keys(settings: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")


KEYS = "[default]\naws_access_key_id = key\naws_secret_access_key = secret\n"
SSO = """[default]
sso_session = work
sso_account_id = 123456789012
sso_role_name = developer
[sso-session work]
sso_region = eu-central-1
sso_start_url = https://example.invalid/start
"""


class TestSettings:
    @pytest.mark.parametrize(
        ("text", "words"),
        [
            pytest.param("[default", "Unable to parse config file", id="broken config"),
            pytest.param(
                "[default]\ncredential_process = echo <html>", "Expecting value", id="no JSON"
            ),
            pytest.param("[default]\ncredential_process = echo []", "", id="other JSON"),
            pytest.param(
                '[default]\ncredential_process = echo {\\"Version\\":1}',
                "AccessKeyId",
                id="no keys",
            ),
            pytest.param(
                "[default]\ncredential_process = no-such-program",
                "no-such-program",
                id="no program",
            ),
            pytest.param("[default]\ncredential_process = false", "custom-process", id="it fails"),
            pytest.param(f"{KEYS}defaults_mode = often", "often", id="a setting"),
            pytest.param(f"{KEYS}request_min_compression_size_bytes = many", "many", id="a number"),
            pytest.param(
                "[default]\nrole_arn = arn:aws:iam::123456789012:role/x\nsource_profile = default",
                "",
                id="a circle of profiles",
            ),
        ],
    )
    def test_that_are_broken(self, settings: Callable[[str], None], text: str, words: str) -> None:
        settings(text)
        complaint = run_refused("holds", status=NOT_SET_UP)
        assert complaint.startswith("Error: ")
        assert words in complaint
        assert "aws configure" in complaint

    def test_a_sign_in_that_has_expired(self, settings: Callable[[str], None]) -> None:
        settings(SSO)
        complaint = run_refused("holds", status=NOT_SET_UP)
        assert complaint.endswith("Sign in again (aws sso login).")

    @pytest.mark.usefixtures("keys")
    @pytest.mark.parametrize(
        ("words", "endpoint", "sentence"),
        [
            (("--region", "EU Central"), "", "aws configure"),
            ((), "no-address", "aws configure"),
            ((), "http://127.0.0.1:1", "There is no AWS at http://127.0.0.1:1"),
        ],
    )
    def test_a_bad_region_or_endpoint(
        self,
        monkeypatch: pytest.MonkeyPatch,
        words: tuple[str, ...],
        endpoint: str,
        sentence: str,
    ) -> None:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        with patch("botocore.endpoint.time.sleep"):
            complaint = run_refused("holds", *words, status=NOT_SET_UP)
        assert sentence in complaint

    @pytest.mark.usefixtures("keys")
    @pytest.mark.parametrize(
        ("error", "status"), [(socket.EAI_NONAME, NOT_SET_UP), (socket.EAI_AGAIN, FAILED)]
    )
    def test_a_region_that_does_not_exist(
        self, monkeypatch: pytest.MonkeyPatch, error: int, status: int
    ) -> None:
        resolve = Mock(side_effect=socket.gaierror(error, "no"))
        monkeypatch.setattr("urllib3.util.connection.socket.getaddrinfo", resolve)
        with patch("botocore.endpoint.time.sleep"):
            complaint = run_refused("holds", "--region", "eu-centrall-1", status=status)
        assert ("Correct the region (--region" in complaint) is (status == NOT_SET_UP)

    @pytest.mark.usefixtures("keys")
    def test_no_call_takes_long(self) -> None:
        config = Place(None, None, json=False).client("codepipeline").meta.config
        assert (config.connect_timeout, config.read_timeout) == (3, 10)
        assert config.retries == {"mode": "standard", "total_max_attempts": 3}


# Answers


def answer(status: int, body: bytes) -> Any:
    """Let everything that AWS is asked be answered so."""
    raw = Mock(stream=lambda *_, **__: iter([body]), read=lambda *_, **__: body)
    headers: Any = {"Content-Type": "text/html"}
    return patch.object(
        URLLib3Session,
        "send",
        lambda _, request: AWSResponse(request.url, status, headers, raw),
    )


def run_answered(words: tuple[str, ...], status: int, body: bytes) -> Said:
    with answer(status, body), patch("botocore.endpoint.time.sleep"):
        return run(*words)


def check_behavior(said: Said, command: str) -> None:
    assert said.status in {0, FAULTS_FOUND, WRONG_USE, NOT_SET_UP, AWS_REFUSED, FAILED}
    if said.status == FAULTS_FOUND:
        assert command in {"check", "doctor"}
        assert said.out
    assert "Traceback" not in said.out + said.err
    assert not HOSTILE.search(said.out + said.err)
    if said.status not in {0, FAULTS_FOUND}:
        assert said.err or said.out


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("status", [200, 302, 403, 404])
def test_a_web_page_is_no_answer_of_aws(words: tuple[str, ...], status: int) -> None:
    said = run_answered(words, status, b"<html>Sign in to the guest network</html>")
    assert said.status == FAILED
    assert "Is there a proxy or a sign-in page between this machine and AWS" in said.complaint


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize("body", [b"[]", b"7", b'"x"', b'{"pipelines": 7}', b'{"pipelines": [{}]}'])
def test_an_answer_without_what_aws_promises_is_said_to_be_one(body: bytes) -> None:
    said = run_answered(("check",), 200, body)
    assert said.status == FAILED
    assert "An answer is not in AWS's form, or gatectl has a defect (" in said.complaint


@pytest.mark.parametrize("status", [200, 302, 403, 404])
def test_a_change_that_something_else_answered_may_have_happened(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    """A proxy answers instead of AWS, when the command changes the pipeline."""
    scene.pipeline("infra")
    scene.pipeline("k8s")
    answer_call = BotocoreStubber.__call__

    def leave_to_proxy(stubber: BotocoreStubber, event_name: str, request: Any, **rest: Any) -> Any:
        if event_name.endswith(".UpdatePipeline"):
            return None
        return answer_call(stubber, event_name, request, **rest)

    monkeypatch.setattr(BotocoreStubber, "__call__", leave_to_proxy)
    with answer(status, b"<html>Sign in to the guest network</html>"):
        complaint = run_refused("attach", "k8s", "--depends-on", "infra", "--yes", status=FAILED)
    assert "Is there a proxy or a sign-in page between this machine and AWS" in complaint
    assert complaint.endswith(
        " It is not known whether k8s was changed. To find out, run this command again."
    )


MEMBERS = [
    *("__type", "message", "code", "name", "pipelines", "pipeline", "metadata", "stages"),
    *("stageStates", "stageName", "actionStates", "actions", "latestExecution", "status"),
    *("pipelineExecutionSummaries", "pipelineExecutionId", "startTime", "lastUpdateTime"),
    *("actionExecutionDetails", "nextToken", "NextToken", "Rules", "Name", "Targets", "Input"),
    *(
        "Functions",
        "FunctionName",
        "NextMarker",
        "Policy",
        "Arn",
        "configuration",
        "UserParameters",
    ),
]
TEXTS = st.one_of(
    st.text(max_size=8),
    st.sampled_from(
        [
            ESCAPES,
            "k8s",
            "infra",
            "InProgress",
            "Failed",
            "AccessDeniedException",
            "pipeline-gate-x",
        ]
    ),
)
VALUES: st.SearchStrategy[object] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(10**12), 10**12), st.floats(), TEXTS),
    lambda values: st.one_of(
        st.lists(values, max_size=3),
        st.dictionaries(st.sampled_from(MEMBERS), values, max_size=5),
    ),
    max_leaves=25,
)
BODIES = st.one_of(
    st.binary(max_size=40),
    st.dictionaries(st.sampled_from(MEMBERS), VALUES, max_size=6).map(
        lambda value: json.dumps(value).encode()
    ),
    VALUES.map(lambda value: json.dumps(value).encode()),
)


@pytest.fixture(scope="module")
def module_keys() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patches:
        for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
            patches.setenv(name, "/dev/null")
        patches.setenv("AWS_ACCESS_KEY_ID", "key")
        patches.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        patches.setenv("AWS_DEFAULT_REGION", "eu-central-1")
        yield


@pytest.mark.usefixtures("module_keys")
@given(
    words=st.sampled_from(COMMANDS),
    status=st.sampled_from([200, 200, 200, 204, 301, 400, 403, 429, 500]),
    body=BODIES,
)
def test_any_answer(words: tuple[str, ...], status: int, body: bytes) -> None:
    check_behavior(run_answered(words, status, body), words[0])


# Files


def check_file(path: Path, content: str | bytes, *words: str) -> Said:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return run("check", "--file", str(path), *words)


def change(value: Any, path: tuple[str | int, ...], new: object) -> Any:
    """A copy of a structure in which one value is another."""
    if not path:
        return new
    changed = json.loads(json.dumps(value))
    place = changed
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = new
    return changed


def list_paths(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    return [path, *(each for key, item in items for each in list_paths(item, (*path, key)))]


GATE: dict[str, Any] = {
    "name": "Gate",
    "beforeEntry": {
        "conditions": [
            {
                "result": "FAIL",
                "rules": [
                    {
                        "name": "Wait",
                        "ruleTypeId": {"category": "Rule", "provider": "LambdaInvoke"},
                        "configuration": {
                            "FunctionName": "pipeline-gate-dev-gate",
                            "UserParameters": "infra",
                        },
                    }
                ],
            }
        ]
    },
    "onFailure": {"result": "ROLLBACK"},
    "actions": [
        {
            "name": "Wait",
            "actionTypeId": {
                "category": "Invoke",
                "owner": "AWS",
                "provider": "Lambda",
                "version": "1",
            },
            "configuration": {
                "FunctionName": "pipeline-gate-dev-gate",
                "UserParameters": '{"depends_on": ["infra"], "pipeline": "k8s"}',
            },
            "runOrder": 1,
        }
    ],
}
STRUCTURE = {**GATED, "stages": [*GATED["stages"][:1], GATE, *GATED["stages"][1:]]}


def test_the_structure_is_one(tmp_path: Path) -> None:
    assert check_file(tmp_path / "k8s.json", json.dumps(STRUCTURE)).status in {0, 1}


@pytest.mark.parametrize("new", [None, 7, True, "x", [], {}], ids=repr)
@pytest.mark.parametrize(
    "path",
    [
        *[(), ("name",), ("stages",), ("stages", 1), ("stages", 1, "name")],
        *[("stages", 1, "actions"), ("stages", 1, "actions", 0), ("stages", 1, "beforeEntry")],
        ("stages", 1, "beforeEntry", "conditions"),
        ("stages", 1, "actions", 0, "configuration"),
        ("stages", 1, "actions", 0, "configuration", "FunctionName"),
        ("stages", 1, "actions", 0, "configuration", "UserParameters"),
        ("stages", 1, "actions", 0, "runOrder"),
        ("stages", 1, "actions", 0, "actionTypeId"),
    ],
    ids=str,
)
def test_a_file_with_a_wrong_type(tmp_path: Path, path: tuple[str | int, ...], new: object) -> None:
    right: Any = STRUCTURE
    for step in path:
        right = right[step]
    said = check_file(tmp_path / "k8s.json", json.dumps(change(STRUCTURE, path, new)))
    check_behavior(said, "check")
    if type(new) is not type(right):
        assert said.status == WRONG_USE
        assert "is not a pipeline's structure" in said.complaint


@pytest.mark.parametrize("name", ["k8s\x1b[2J", "k8s\nerror: all is lost", "a b", "", "x" * 101])
@pytest.mark.parametrize(
    "path", [("name",), ("stages", 1, "name"), ("stages", 1, "actions", 0, "name")], ids=str
)
def test_impossible_names_are_refused(
    tmp_path: Path, path: tuple[str | int, ...], name: str
) -> None:
    said = check_file(tmp_path / "k8s.json", json.dumps(change(STRUCTURE, path, name)))
    assert said.status == WRONG_USE
    assert "which CodePipeline does not allow as a name" in said.complaint
    assert not HOSTILE.search(said.out + said.err)


@pytest.mark.parametrize(
    "content", ["[" * 100_000, b"\xff\xfe\x00", '{"a": 1' + "0" * 5000 + "}", "", "null"]
)
def test_what_is_no_json(tmp_path: Path, content: str | bytes) -> None:
    assert check_file(tmp_path / "k8s.json", content).status == WRONG_USE


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("files") / "k8s.json"


@given(
    place=st.sampled_from(list_paths(STRUCTURE)),
    new=VALUES,
    words=st.sampled_from([(), ("--lines",), ("--json",)]),
)
def test_any_file(
    path: Path, place: tuple[str | int, ...], new: object, words: tuple[str, ...]
) -> None:
    said = check_file(path, json.dumps(change(STRUCTURE, place, new)), *words)
    check_behavior(said, "check")
    assert said.status in {0, FAULTS_FOUND, WRONG_USE}
    if words == ("--lines",) and said.out:
        starts = ("error: ", "warning: ", "note: ", "not checked: ")
        assert all(line.startswith(starts) for line in said.out.splitlines())


# What a terminal obeys


@pytest.mark.usefixtures("keys")
def test_aws_words_cannot_move_the_cursor() -> None:
    body = {"__type": "AccessDeniedException", "message": f"no\n{ESCAPES}"}
    said = run_answered(("check",), 400, json.dumps(body).encode())
    assert said.status == AWS_REFUSED
    assert "fine" in said.err
    assert not HOSTILE.search(said.err)


def test_a_finding_is_one_line(scene: Scene, fail: Fail) -> None:
    scene.gated("k8s", ask("infra", pipeline="k8s"))
    message = f"no\nerror: everything{ESCAPES}"
    denial: Any = {"Error": {"Code": "AccessDeniedException", "Message": message}}
    fail("ListFunctions", ClientError(denial, "ListFunctions"))
    lines = run("check", "--lines").out.splitlines()
    assert [line.split(": ")[0] for line in lines] == ["error", "not checked"]
    assert not HOSTILE.search("".join(lines))


def test_everything_is_printed_by_one_function() -> None:
    """Only output.py and click's own help write without it."""
    writers = {"echo", "secho", "Console", "print_exc", "write"}
    for module in sorted((ROOT / "gatectl").rglob("*.py")):
        calls = [
            node for node in ast.walk(ast.parse(module.read_text())) if isinstance(node, ast.Call)
        ]
        names = {
            call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
            for call in calls
        }
        bare = {getattr(call.func, "id", "") for call in calls} & {"print"}
        assert module.name == "output.py" or not (names & writers or bare), module
