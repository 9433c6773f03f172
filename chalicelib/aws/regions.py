"""Which regions have CodePipeline. Only upstreams elsewhere need this."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from botocore.session import Session

NO_SUCH_NAME = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}
"""The name server knows that there is no such name, or no address of it (RFC 3493)."""


def has_codepipeline(session: Session, client: Any, partition: str) -> bool:
    """Return whether the region of a CodePipeline client is a region of `partition` that has it.

    A region that botocore's endpoint data does not list may be newer than the data. It exists if
    the name of its endpoint does. If the name server does not answer, it may exist.
    """
    if client.meta.partition != partition:
        return False
    if client.meta.region_name in session.get_available_regions("codepipeline", partition):
        return True
    try:
        socket.getaddrinfo(urlsplit(client.meta.endpoint_url).hostname, None)
    except socket.gaierror as error:
        return error.errno not in NO_SUCH_NAME
    return True
