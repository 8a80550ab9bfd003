"""Who is answered: the Host header must name this server, other pages are refused, and where a key is set it is needed.

A page in any browser can send requests to 127.0.0.1, and a name of its own can be pointed there. So the host must be an
IP address (which no foreign name can pretend to be), localhost, or a name that was allowed by hand; an Origin must be
this host.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from spaceland.chat.openai_http import is_loopback
from spaceland.chat.secret import Secret
from spaceland.serving.problems import RequestError

Headers = Sequence[tuple[bytes, bytes]]
_OPEN = frozenset({"/health"})


@dataclass(frozen=True, kw_only=True)
class Access:
    """`key`: what clients must know (None: nothing). `loopback`: the server listens on this machine only."""

    key: Secret | None = None
    loopback: bool = True
    names: frozenset[str] = frozenset()
    """Names, in small letters, under which the server is also reached."""

    def check(self, headers: Headers, path: str) -> None:
        """Refuse whoever may not ask.

        Raises:
            RequestError: 403 for hosts and pages, 401 for keys.
        """
        hosts = _all(headers, b"host")
        if len(hosts) != 1 or not self._known(hosts[0]):
            raise RequestError(
                403, "this server does not answer to that Host; start it with --allow-host NAME", code="wrong_host"
            )
        own = {f"http://{hosts[0].lower()}", f"https://{hosts[0].lower()}"}
        if any(origin.lower() not in own for origin in _all(headers, b"origin")):
            raise RequestError(403, "requests of other pages are not answered", code="wrong_origin")
        if any(site.lower() not in ("same-origin", "none") for site in _all(headers, b"sec-fetch-site")):
            raise RequestError(403, "requests of other pages are not answered", code="wrong_origin")
        if self.key is not None and path not in _OPEN:
            given = _all(headers, b"authorization")
            scheme, _, token = given[0].partition(" ") if len(given) == 1 else ("", "", "")
            good = hmac.compare_digest(token.strip().encode(), self.key.reveal().encode())
            if scheme.lower() != "bearer" or not good:
                raise RequestError(
                    401, "wrong or missing key; send it as Authorization: Bearer KEY", code="invalid_api_key"
                )

    def _known(self, host: str) -> bool:
        try:
            name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
        except ValueError:
            return False
        if name in self.names:
            return True
        if self.loopback:
            return is_loopback(name)
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return name == "localhost"
        return True


def _all(headers: Headers, name: bytes) -> list[str]:
    return [value.decode("latin-1").strip() for key, value in headers if key.lower() == name]
