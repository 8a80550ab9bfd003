"""Files that a verb will write, looked at before the work begins."""

from __future__ import annotations

from pathlib import Path

from spaceland.errors import OutputError


def check_target(path: Path | None, option: str) -> None:
    """Refuse a folder where a file is to be written; None, the option not given, is fine.

    Raises:
        OutputError: the path is a folder.
    """
    if path is not None and path.is_dir():
        raise OutputError(f"{option} takes a file to write, and {path} is a folder; give {path / 'scores.json'}, say")
