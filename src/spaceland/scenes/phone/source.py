"""Which recordings a path holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from spaceland.errors import SourceError
from spaceland.scenes.phone.options import PhoneOptions, parse_options
from spaceland.scenes.phone.polycam import is_polycam, read_polycam
from spaceland.scenes.phone.record3d import is_record3d, read_record3d
from spaceland.scenes.phone.stray import is_stray, read_stray
from spaceland.scenes.scene import Scene

Read = Callable[[Path, str, PhoneOptions], Scene]
_APPS: tuple[tuple[Callable[[Path], bool], Read], ...] = (
    (is_stray, read_stray),
    (is_polycam, read_polycam),
    (is_record3d, read_record3d),
)


@dataclass(frozen=True)
class PhoneSource:
    """Recordings by scene id, with their reader."""

    recordings: dict[str, tuple[Path, Read]]
    options: PhoneOptions
    kind: str = "phone"

    def ids(self) -> Sequence[str]:
        return list(self.recordings)

    def open(self, scene_id: str) -> Scene:
        path, read = self.recordings[scene_id]
        return read(path, scene_id, self.options)


def recognise(path: Path) -> bool:
    """Whether a path is a recording or a folder of some."""
    return bool(_recordings(path))


def open_source(location: str, options: dict[str, str]) -> PhoneSource:
    """A recording, or all recordings directly below a folder.

    Raises:
        SourceError: nothing there that any of the apps writes, or options that make no sense.
    """
    parsed = parse_options(options)
    path = Path(location)
    if not path.exists():
        raise SourceError(f"phone: '{location}' does not exist")
    found = _recordings(path)
    if not found:
        raise SourceError(
            f"phone: '{location}' is no recording of Record3D (.r3d), Stray Scanner or Polycam (raw data), and holds "
            "none; see docs/sources.md for what they look like"
        )
    return PhoneSource(found, parsed)


def _recordings(path: Path) -> dict[str, tuple[Path, Read]]:
    read = _reader_of(path)
    if read is not None:
        return {path.resolve().stem if path.is_file() else path.resolve().name: (path, read)}
    if not path.is_dir():
        return {}
    found = {}
    for child in sorted(path.iterdir()):
        read = None if child.name.startswith(".") else _reader_of(child)
        if read is not None:
            found[child.stem if child.is_file() else child.name] = (child, read)
    return found


def _reader_of(path: Path) -> Read | None:
    return next((read for fits, read in _APPS if fits(path)), None)
