"""Output folders that exist whole or not at all, and paths that stay where they belong."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from spaceland.errors import OutputError, SceneError


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """Yield a hidden folder beside `out`; on success it becomes `out`, on failure it is removed.

    Raises:
        OutputError: `out` holds files already, or the disk refuses.
    """
    temporary: Path | None = None
    try:
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise OutputError(f"{out} exists and is not empty; choose a new folder with --out, or remove it")
        out.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".tmp", dir=out.parent))
        yield temporary
        # mkdtemp makes folders private to the user; results get the ordinary permissions.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o777 & ~umask)
        if out.exists():
            out.rmdir()
        temporary.rename(out)
    except OSError as error:
        raise OutputError(
            f"cannot write {out}: {error.strerror or error}; free some space or choose another --out"
        ) from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def link_or_copy(source: Path, target: Path) -> None:
    """Give a file a second place: a hard link, which takes no room, or a copy where the disk has none.

    Raises:
        SceneError: the file is missing.
        OutputError: the disk refuses.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source.resolve(), target)
    except FileNotFoundError:
        raise SceneError(f"missing image: {source}; is the dataset complete?") from None
    except OSError:  # another disk, or one without links
        try:
            shutil.copyfile(source, target)
        except OSError as error:
            raise OutputError(f"cannot copy {source} to {target}: {error.strerror or error}") from error


def safe_path(relative: object, where: str) -> PurePosixPath:
    """A path from a file of somebody else, if it can only lead downwards.

    >>> str(safe_path("scene0000_00/image_color/10.jpg", "rows.jsonl, line 1"))
    'scene0000_00/image_color/10.jpg'

    Raises:
        SceneError: it is absolute, climbs with "..", or is no path at all; `where` is named.
    """
    if isinstance(relative, str) and relative.isprintable() and not set(relative) & set("\\:"):
        path = PurePosixPath(relative)
        if path.name and not path.is_absolute() and ".." not in path.parts:
            return path
    raise SceneError(
        f"{where}: image path {str(relative)[:120]!r} is refused; paths must be relative, without '..', '\\' or ':'"
    )


def plain_name(text: str) -> str:
    """A text as a name of a file or folder: letters, digits, dot, dash and underscore.

    >>> plain_name("My rooms (v2)")
    'My-rooms-v2'
    """
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else " " for c in text)
    return "-".join(kept.split()).lstrip(".") or "dataset"
