"""A work folder as a source: the scene that its stages made, with the objects that were found.

spaceland reconstruct room.mp4 --out out/room
spaceland mark out/room          spaceland view out/room          spaceland generate work:out/room
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from spaceland.errors import SourceError
from spaceland.files import read_json
from spaceland.scenes.folder import read_scene
from spaceland.scenes.scene import Scene
from spaceland.scenes.sources import check_options


@dataclass(frozen=True)
class WorkSource:
    """The one scene of a work folder."""

    folder: Path
    kind: str = "work"

    def ids(self) -> Sequence[str]:
        """The scene that the stage made last: an earlier capture may have left another one beside it."""
        record = read_json(self.folder / "scene" / "stage.json")
        made = record.get("report", {}).get("scene") if isinstance(record, dict) else None
        found = [path.parent.name for path in sorted((self.folder / "scene").glob("*/scene.json"))]
        return [name for name in found if name == made] or found

    def open(self, scene_id: str) -> Scene:
        scene = read_scene(self.folder / "scene" / scene_id)
        if not (self.folder / "objects" / "stage.json").is_file():
            return scene
        from spaceland.objects.attach import read_found, with_objects

        return with_objects(scene, read_found(self.folder / "objects"))


def recognise(path: Path) -> bool:
    """Whether a folder is a work folder whose scene is complete."""
    return path.is_dir() and (path / "scene" / "stage.json").is_file()


def open_source(location: str, options: dict[str, str]) -> WorkSource:
    """A work folder of `spaceland reconstruct`, `mark` or `ask`.

    Raises:
        SourceError: its scene is not complete.
    """
    check_options("work", options, ())
    if not recognise(Path(location)):
        raise SourceError(
            f"work: '{location}' has no finished scene (scene/stage.json); run the command that makes it again"
        )
    source = WorkSource(Path(location))
    if not source.ids():
        raise SourceError(f"work: '{location}' has lost its scene; delete {Path(location) / 'scene'} and make it again")
    return source
