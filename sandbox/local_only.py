"""Keeps web pages away from the sandbox's ports, which run code that a request uploads.

A browser on this machine reaches loopback for any page that it shows. With DNS rebinding, a page
even makes its own name point to loopback; its requests then name that host.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


def find_refusal(host: str, origin: str | None, fetch_site: str | None) -> str:
    """Return why a request with these headers is not answered, or "".

    A browser sends Origin with each request that is not a plain GET of a page, an image or a
    script, and Sec-Fetch-Site with those, too (W3C: Fetch Metadata Request Headers). AWS's tools
    send neither.
    """
    if not _is_loopback(host):
        return "The sandbox answers only requests to 127.0.0.1 or localhost."
    if origin not in {None, f"http://{host}"} or fetch_site not in {None, "none", "same-origin"}:
        return "The sandbox does not answer requests from web pages."
    return ""


def _is_loopback(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or ip_address(name).is_loopback
    except ValueError:
        return False


class LocalOnly:
    """A WSGI application that passes only local requests to another one."""

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        refusal = find_refusal(
            environ.get("HTTP_HOST", ""),
            environ.get("HTTP_ORIGIN"),
            environ.get("HTTP_SEC_FETCH_SITE"),
        )
        if not refusal:
            return self._application(environ, start_response)
        body = refusal.encode()
        length = str(len(body))
        start_response(
            "403 Forbidden", [("Content-Type", "text/plain"), ("Content-Length", length)]
        )
        return [body]
