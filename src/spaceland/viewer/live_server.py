"""viser, kept to this machine and to its own page.

viser answers websockets of any page in the same browser: any site could read the room. The library that it uses can
check where a connection comes from, so it is told to while viser starts. The port is checked before, since viser
would silently take another one.
"""

from __future__ import annotations

import contextlib
import functools
import io
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from spaceland.errors import OutputError, require
from spaceland.files import write_bytes

HOST = "127.0.0.1"
SNAPSHOTS = (".viser", ".html")


def start_viser(port: int) -> Any:
    """A viser server on 127.0.0.1 that answers its own page only; `port` 0 takes a free one.

    Raises:
        DependencyError: viser is not installed.
        OutputError: the port is taken.
    """
    require("viser", "web")
    import viser

    port = free_port(port)
    with _own_pages(port), contextlib.redirect_stdout(io.StringIO()):  # it prints a banner
        server = viser.ViserServer(host=HOST, port=port, label="spaceland", verbose=False)
    if server.get_port() != port:
        stop_viser(server)
        raise OutputError(f"cannot listen on {HOST}:{port}; choose another --port")
    server.gui.configure_theme(control_width="large", show_logo=False, show_share_button=False)
    return server


def stop_viser(server: Any) -> None:
    """End the server."""
    with contextlib.redirect_stdout(io.StringIO()):
        server.stop()


def free_port(port: int) -> int:
    """The port, if it is free; some free one for 0.

    Raises:
        OutputError: it is taken, or no port at all.
    """
    try:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((HOST, port))
            return int(probe.getsockname()[1])
    except (OSError, OverflowError) as error:
        raise OutputError(f"cannot listen on {HOST}:{port} ({error}); choose another --port") from error


@contextlib.contextmanager
def _own_pages(port: int) -> Iterator[None]:
    """While viser starts: accept connections of its own page, and of programs that are no browser, alone."""
    import websockets.asyncio.server as library

    plain = library.serve
    origins = [f"http://{name}:{port}" for name in (HOST, "localhost")]
    library.serve = functools.partial(plain, origins=[*origins, None])  # type: ignore[misc]
    try:
        yield
    finally:
        library.serve = plain  # type: ignore[misc]


def write_snapshot(server: Any, path: Path) -> None:
    """The scene as one file: `.viser` for viser's own player, `.html` as a page that opens anywhere, offline.

    Raises:
        OutputError: another suffix, or the file cannot be written.
    """
    if path.suffix not in SNAPSHOTS:
        raise OutputError(f"a snapshot ends in {' or '.join(SNAPSHOTS)}, not in '{path.name}'")
    serializer = server.get_scene_serializer()
    write_bytes(path, serializer.serialize() if path.suffix == ".viser" else serializer.as_html().encode())
