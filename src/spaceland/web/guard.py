"""Who may speak to a server on this machine: the page that the terminal shows, and nobody else.

Any page in the same browser can send requests to 127.0.0.1. So the Host header must name this server (names that are
pointed at 127.0.0.1 from outside do not), an Origin, where the browser sends one, must be this server's own, and all
but the page's own files need a key that was made for this run, in a header that other pages cannot set without being
asked first and refused.
"""

from __future__ import annotations

import hmac
from email.message import Message
from http import HTTPStatus

KEY_HEADER = "X-Spaceland-Key"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)


class RefusedError(Exception):
    """A request that is not answered: the status and why. It never leaves the server."""

    def __init__(self, status: HTTPStatus, why: str) -> None:
        super().__init__(why)
        self.status = status


def check_host(headers: Message, port: int) -> None:
    """Refuse other names and other pages.

    Raises:
        RefusedError: the request comes from elsewhere.
    """
    own = {f"{name}:{port}" for name in ("127.0.0.1", "localhost")}
    hosts = headers.get_all("Host", [])
    if len(hosts) != 1 or hosts[0].strip().lower() not in own:
        raise RefusedError(HTTPStatus.FORBIDDEN, "this server answers to 127.0.0.1 only")
    for origin in headers.get_all("Origin", []):
        if origin.strip().lower() not in {f"http://{host}" for host in own}:
            raise RefusedError(HTTPStatus.FORBIDDEN, "requests of other pages are not answered")
    if headers.get("Sec-Fetch-Site", "none").lower() not in ("same-origin", "none"):
        raise RefusedError(HTTPStatus.FORBIDDEN, "requests of other pages are not answered")


def check_key(headers: Message, key: str) -> None:
    """Refuse whoever does not know the key.

    Raises:
        RefusedError: it is missing or wrong.
    """
    given = headers.get(KEY_HEADER, "")
    if not hmac.compare_digest(given.encode(errors="replace"), key.encode()):
        raise RefusedError(HTTPStatus.FORBIDDEN, "wrong key; open the address that the terminal shows")


def body_length(headers: Message, most: int) -> int:
    """How long the body of a request is.

    Raises:
        RefusedError: it is unknown, told twice, or more than `most` bytes.
    """
    lengths = headers.get_all("Content-Length", [])
    if headers.get("Transfer-Encoding") is not None or len(lengths) != 1:
        raise RefusedError(HTTPStatus.LENGTH_REQUIRED, "the request must say its length once, in Content-Length")
    text = lengths[0].strip()
    if not (text.isascii() and text.isdecimal() and len(text) <= 15):
        raise RefusedError(HTTPStatus.BAD_REQUEST, "Content-Length is no number")
    if int(text) > most:
        size = f"{most / 1e9:g} GB" if most >= 1e8 else f"{most} bytes"
        raise RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"too large: at most {size} are accepted")
    return int(text)
