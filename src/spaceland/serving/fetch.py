"""Pictures that a request only names: nothing is read unless the one who runs the server allows it.

`file:` needs a folder, and what lies outside of it, also through links, is refused. `http:` and `https:` need
`network`, and addresses of this machine and of private networks `private` too: a server that fetches what strangers
name must not be their way into its own network. The name is resolved once and the connection goes to the address that
was checked, so an answer that changes in between has no effect. Redirects are not followed, and compressed answers are
refused: a few kilobytes could unfold into all of the memory.
"""

from __future__ import annotations

import contextlib
import ipaddress
import math
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

import httpx

from spaceland.serving.problems import RequestError, wrong
from spaceland.version import __version__

_HOLDS_IPV4 = tuple(map(ipaddress.IPv6Network, ("64:ff9b::/96", "::/96")))
"""IPv6 networks whose last 32 bits are an IPv4 address: translated ones, and the old compatible form."""


@dataclass(frozen=True, kw_only=True)
class UrlAccess:
    """What may be read through the URL of a picture."""

    network: bool = False
    private: bool = False
    folder: Path | None = None
    fetch_s: float = 20.0
    """Longest time for one picture."""
    deadline: float = math.inf
    """When all pictures of a request must be there, on the clock of `time.monotonic`."""


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
    return _get(parts, host, address, param, min(access.fetch_s, access.deadline - time.monotonic()), most_bytes)


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
        if ip.is_site_local:
            return False
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if any(ip in network for network in _HOLDS_IPV4):
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
    late = wrong(param, f"the picture did not arrive in {max(fetch_s, 0):.3g} s", "invalid_image_url")
    if fetch_s <= 0:
        raise late
    headers = {
        "Host": named + port,
        "Accept": "image/*",
        "Accept-Encoding": "identity",
        "User-Agent": f"spaceland/{__version__}",
    }
    data = bytearray()
    with httpx.Client(trust_env=False, follow_redirects=False, timeout=fetch_s) as client, _closing(client, fetch_s):
        try:
            with client.stream("GET", url, headers=headers, extensions={"sni_hostname": host}) as response:
                if response.status_code != 200:
                    raise wrong(param, f"the picture's host answered HTTP {response.status_code}", "invalid_image_url")
                if response.headers.get("content-encoding", "identity").lower() != "identity":
                    raise wrong(param, "the picture's host sent it compressed, unasked", "invalid_image_url")
                for chunk in response.iter_raw():
                    data += chunk
                    if len(data) > most_bytes:
                        raise wrong(param, f"the picture has more than {most_bytes / 1e6:g} MB", "image_too_large")
        except RequestError:
            raise
        except Exception as error:
            # Closed in the middle of anything, it can fail with anything.
            if client.is_closed:
                raise late from None
            if not isinstance(error, httpx.HTTPError | httpx.InvalidURL):
                raise
            raise wrong(param, f"the picture cannot be fetched ({type(error).__name__})", "invalid_image_url") from None
    return bytes(data)


@contextlib.contextmanager
def _closing(client: httpx.Client, seconds: float) -> Iterator[None]:
    """Close a client after some time whatever it does: its own limits start anew with every byte that comes."""
    timer = threading.Timer(seconds, client.close)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


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
    except (OSError, ValueError, RuntimeError):  # the last one: links that go in a circle
        raise refused from None
