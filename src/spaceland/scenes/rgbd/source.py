"""Which sequences a path holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from spaceland.errors import SourceError
from spaceland.scenes.rgbd.layouts import LAYOUTS, Layout
from spaceland.scenes.rgbd.options import RgbdOptions, parse_options
from spaceland.scenes.rgbd.read import read_rgbd
from spaceland.scenes.scene import Scene


@dataclass(frozen=True)
class RgbdSource:
    """Sequences by scene id, with their layout."""

    sequences: dict[str, tuple[Path, Layout]]
    options: RgbdOptions
    kind: str = "rgbd"

    def ids(self) -> Sequence[str]:
        return list(self.sequences)

    def open(self, scene_id: str) -> Scene:
        folder, layout = self.sequences[scene_id]
        return read_rgbd(folder, scene_id, layout, self.options)


def recognise(path: Path) -> bool:
    """Whether `path` is a sequence or holds some."""
    return path.is_dir() and bool(_sequences(path, None))


def open_source(location: str, options: dict[str, str]) -> RgbdSource:
    """Sequences of a folder: itself, or up to two levels below (as in kitchen/seq-01).

    Raises:
        SourceError: no known layout there, or options that make no sense.
    """
    parsed = parse_options(options)
    path = Path(location)
    if not path.is_dir():
        raise SourceError(f"rgbd: '{location}' is not a folder")
    sequences = _sequences(path, parsed.layout)
    if not sequences:
        wanted = f"layout '{parsed.layout}'" if parsed.layout else f"any known layout ({', '.join(LAYOUTS)})"
        raise SourceError(f"rgbd: '{location}' does not have {wanted}; see docs/sources.md for what they look like")
    return RgbdSource(sequences, parsed)


def _sequences(path: Path, layout: str | None) -> dict[str, tuple[Path, Layout]]:
    """By scene id: the folder's name, with the names between it and `path` before it."""
    name = path.resolve().name
    if name.startswith("seq-"):  # every 7-Scenes scene has a seq-01
        name = f"{path.resolve().parent.name}-{name}"
    found = _layout_of(path, layout)
    if found:
        return {name: (path, found)}
    sequences: dict[str, tuple[Path, Layout]] = {}
    for child in _folders(path):
        here = _layout_of(child, layout)
        prefix = f"{name}-" if child.name.startswith("seq-") else ""
        if here:
            sequences[prefix + child.name] = (child, here)
            continue
        for grandchild in _folders(child):
            below = _layout_of(grandchild, layout)
            if below:
                sequences[f"{child.name}-{grandchild.name}"] = (grandchild, below)
    return sequences


def _layout_of(folder: Path, layout: str | None) -> Layout | None:
    known = [LAYOUTS[layout]] if layout else LAYOUTS.values()
    return next((candidate for candidate in known if candidate.matches(folder)), None)


def _folders(path: Path) -> list[Path]:
    return sorted(child for child in path.iterdir() if child.is_dir() and not child.name.startswith("."))
