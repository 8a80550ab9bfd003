"""Pictures that a request only names: nothing is read unless the one who runs the server allows it.

`file:` needs a folder, and what lies outside of it, also through links, is refused. `http:` and `https:` need
`network`, and addresses of this machine and of private networks `private` too: a server that fetches what strangers
name must not be their way into its own network. The name is resolved once and the connection goes to the address that
was checked, so an answer that changes in between has no effect. Redirects are not followed.
"""

from __future__ import annotations

import ipaddress
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

import httpx

from spaceland.serving.problems import wrong
from spaceland.version import __version__


@dataclass(frozen=True, kw_only=True)
class UrlAccess:
    """What may be read through the URL of a picture."""

    network: bool = False
    private: bool = False
    folder: Path | None = None
    fetch_s: float = 20.0
    """Longest time for one picture."""


def fetch(url: str, param: str, access: UrlAccess, *, most_bytes: int) -> bytes:
    """The bytes behind a `file:`, `http:` or `https:` URL.

    Raises:
        RequestError: it is not allowed, or cannot be read.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise wrong(param, "not a URL", "invalid_image_url") from None
    if parts.scheme == "file":
        return _read_file(parts, param, access.folder, most_bytes)
    if parts.scheme not in ("http", "https"):
        raise wrong(param, "pictures are data URLs: data:image/jpeg;base64,...", "invalid_image_url")
    if not access.network:
        raise wrong(
            param,
            "this server fetches nothing from the network; send the picture as a data URL (data:image/jpeg;base64,...)",
            "image_url_not_allowed",
        )
    if not host or parts.username is not None or parts.password is not None:
        raise wrong(param, "the address of a picture has a host and no password", "invalid_image_url")
    address = checked_address(host, port or (443 if parts.scheme == "https" else 80), param, private=access.private)
    return _get(parts, host, address, param, access.fetch_s, most_bytes)


def checked_address(host: str, port: int, param: str, *, private: bool) -> str:
    """The address to connect to.

    Raises:
        RequestError: there is no such host, or one of its addresses is not of the public network.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise wrong(param, "the host of the picture cannot be found", "invalid_image_url") from None
    addresses = [str(entry[4][0]) for entry in found]
    if not private and not all(is_public(address) for address in addresses):
        raise wrong(param, "the host of the picture is not on the public network", "image_url_not_allowed")
    return addresses[0]


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the public network, also when it is IPv4 inside IPv6.

    >>> is_public("127.0.0.1"), is_public("::ffff:10.0.0.1"), is_public("169.254.169.254"), is_public("8.8.8.8")
    (False, False, False, True)
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if ip in ipaddress.ip_network("64:ff9b::/96"):
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return ip.is_global and not ip.is_multicast


def _get(parts: SplitResult, host: str, address: str, param: str, fetch_s: float, most_bytes: int) -> bytes:
    """Connect to the checked address under the host's own name."""
    shown = f"[{address}]" if ":" in address else address
    named = f"[{host}]" if ":" in host else host
    port = f":{parts.port}" if parts.port else ""
    url = f"{parts.scheme}://{shown}{port}{parts.path or '/'}" + (f"?{parts.query}" if parts.query else "")
    deadline, data = time.monotonic() + fetch_s, bytearray()
    try:
        with (
            httpx.Client(trust_env=False, follow_redirects=False, timeout=fetch_s) as client,
            client.stream(
                "GET",
                url,
                headers={"Host": named + port, "Accept": "image/*", "User-Agent": f"spaceland/{__version__}"},
                extensions={"sni_hostname": host},
            ) as response,
        ):
            if response.status_code != 200:
                raise wrong(param, f"the picture's host answered HTTP {response.status_code}", "invalid_image_url")
            for chunk in response.iter_bytes():
                data += chunk
                if len(data) > most_bytes:
                    raise wrong(param, f"the picture has more than {most_bytes / 1e6:g} MB", "image_too_large")
                if time.monotonic() > deadline:
                    raise wrong(param, f"the picture did not arrive in {fetch_s:g} s", "invalid_image_url")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise wrong(param, f"the picture cannot be fetched ({type(error).__name__})", "invalid_image_url") from None
    return bytes(data)


def _read_file(parts: SplitResult, param: str, folder: Path | None, most_bytes: int) -> bytes:
    if folder is None:
        raise wrong(
            param,
            "this server reads no files; send the picture as a data URL (data:image/jpeg;base64,...)",
            "image_url_not_allowed",
        )
    # One answer for what is outside and what is missing: nobody learns which files there are.
    refused = wrong(param, "there is no such picture in the folder that this server may read", "image_url_not_allowed")
    if parts.netloc not in ("", "localhost"):
        raise refused
    try:
        path = Path(unquote(parts.path)).resolve(strict=True)
        if not path.is_relative_to(folder.resolve()) or not path.is_file():
            raise refused
        with path.open("rb") as file:
            return file.read(most_bytes + 1)
    except (OSError, ValueError):
        raise refused from None
