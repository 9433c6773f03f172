"""No web page reaches the sandbox, which runs what a request uploads."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from sandbox.awslambda.runtime_api import RuntimeApi
from sandbox.server import SandboxServer

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
FOREIGN = [
    pytest.param({"Host": "evil.example"}, id="DNS rebinding"),
    pytest.param({"Host": "127.0.0.1.evil.example:{port}"}, id="a name that looks like loopback"),
    pytest.param({"Host": "192.0.2.7:{port}"}, id="another machine's address"),
    pytest.param({"Host": ""}, id="no host"),
    pytest.param({"Host": "127.0.0.1:{port}", "Origin": "https://evil.example"}, id="a web page"),
    pytest.param({"Host": "127.0.0.1:{port}", "Origin": "null"}, id="a sandboxed frame"),
    pytest.param(
        {"Host": "127.0.0.1:{port}", "Origin": "http://127.0.0.1:1"}, id="a page on another port"
    ),
    pytest.param(
        {"Host": "127.0.0.1:{port}", "Sec-Fetch-Site": "cross-site"}, id="an image of a page"
    ),
]
LOCAL = [
    pytest.param({"Host": "127.0.0.1:{port}"}, id="an AWS tool"),
    pytest.param({"Host": "localhost:{port}"}, id="localhost"),
    pytest.param({"Host": "[::1]:{port}"}, id="IPv6"),
    pytest.param({"Host": "127.0.0.1:{port}", "Origin": "http://127.0.0.1:{port}"}, id="its own"),
    pytest.param({"Host": "127.0.0.1:{port}", "Sec-Fetch-Site": "none"}, id="an address typed in"),
]


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with SandboxServer() as server:
        yield urlsplit(server.url).port or 0


def request(
    port: int, headers: dict[str, str], method: str = "POST", path: str = "/", body: str = ""
) -> http.client.HTTPResponse:
    """Send a request with exactly these headers, in which {port} is the server's."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    for name, value in (headers | {"Content-Length": str(len(body))}).items():
        connection.putheader(name, value.format(port=port))
    connection.endheaders(body.encode())
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer


@pytest.mark.parametrize("headers", FOREIGN)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_a_foreign_request_is_refused(port: int, headers: dict[str, str], method: str) -> None:
    call = "Action=GetCallerIdentity&Version=2011-06-15"
    path, body = ("/", call) if method == "POST" else (f"/?{call}", "")
    assert request(port, headers | FORM, method, path, body).status == 403


@pytest.mark.parametrize("headers", LOCAL)
def test_a_local_request_is_answered_for_no_other_page(port: int, headers: dict[str, str]) -> None:
    body = "Action=GetCallerIdentity&Version=2011-06-15"
    answer = request(port, headers | FORM, body=body)
    assert answer.status == 200
    assert [name for name, _ in answer.getheaders() if name.lower().startswith("access-")] == []


@pytest.mark.parametrize(
    ("headers", "status"), [({"Host": "evil.example"}, 403), ({"Host": "127.0.0.1:{port}"}, 202)]
)
def test_no_page_answers_for_a_function(headers: dict[str, str], status: int) -> None:
    api = RuntimeApi()
    try:
        path = "/2018-06-01/runtime/invocation/x/response"
        assert request(api.server_port, headers, path=path, body="{}").status == status
        assert api.messages.empty() is (status == 403)
    finally:
        api.close()
