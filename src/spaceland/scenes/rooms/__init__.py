"""Generated sample rooms: `rooms:7`, `rooms:1-4`, `rooms:1,3,9`, with options such as `rooms:7?frames=100`.

A room is made from its seed alone: furniture of the CC0 set in a sensible layout, a walk with a hand-held camera that
shows every object, and exact colour, depth and object id of each frame by ray casting. Nothing is downloaded and no
file is written. The steps, each a module: `plan` (bare room), `recipes` and `layout` (furniture), `path` (walk),
`generate` (all of it, until it is good), `light` and `render` (pictures), `scene` (the `Scene`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from spaceland.errors import SourceError
from spaceland.scenes.scene import Scene
from spaceland.scenes.sources import check_options

MIN_FRAMES, MAX_FRAMES = 32, 300
_MAX_SEED = 10**9
_MAX_ROOMS = 100_000


@dataclass(frozen=True)
class RoomsSource:
    """Some sample rooms; opening one takes well under a second, pictures are rendered when asked for."""

    seeds: tuple[int, ...]
    num_frames: int = MIN_FRAMES
    width: int = 640
    height: int = 480
    kind: str = "rooms"

    def ids(self) -> Sequence[str]:
        """Scene ids, such as "room0007"."""
        return [room_id(seed) for seed in self.seeds]

    def open(self, scene_id: str) -> Scene:
        """Make one room.

        Raises:
            SourceError: the room is not one of this source.
        """
        by_id = {room_id(seed): seed for seed in self.seeds}
        if scene_id not in by_id:
            raise SourceError(f"no room '{scene_id}' in this source; it has {', '.join(list(by_id)[:8])}")
        return build_room(by_id[scene_id], self.num_frames, self.width, self.height)


def room_id(seed: int) -> str:
    """The scene id of a seed."""
    return f"room{seed:04d}"


def build_room(seed: int, num_frames: int = MIN_FRAMES, width: int = 640, height: int = 480) -> Scene:
    """The sample room of a seed as a scene with `num_frames` frames of the given size in pixels."""
    from spaceland.scenes.rooms.generate import generate_room
    from spaceland.scenes.rooms.scene import scene_of

    return scene_of(generate_room(seed), room_id(seed), num_frames, width, height)


def recognise(path: Path) -> bool:
    """Rooms are no files: no path looks like one."""
    return False


def open_source(location: str, options: dict[str, str]) -> RoomsSource:
    """Rooms by seed: one number, a range, or several of either separated by commas.

    Raises:
        SourceError: the location is no list of seeds, or an option is unknown or out of range.
    """
    check_options("rooms", options, ("frames", "width", "height"))
    seeds: list[int] = []
    for part in location.split(","):
        match = re.fullmatch(r"\s*(\d{1,10})\s*(?:-\s*(\d{1,10})\s*)?", part, re.ASCII)
        if match is None:
            raise SourceError(f"rooms: '{location}' is no seed; write rooms:7, rooms:1-4 or rooms:1,3,9")
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first or last > _MAX_SEED:
            raise SourceError(f"rooms: bad range '{part.strip()}'; seeds go from 0 to {_MAX_SEED}, smaller one first")
        if len(seeds) + last - first + 1 > _MAX_ROOMS:
            raise SourceError(f"rooms: '{location}' names more than {_MAX_ROOMS} rooms; split it")
        seeds.extend(range(first, last + 1))
    return RoomsSource(
        tuple(dict.fromkeys(seeds)),
        _whole(options, "frames", MIN_FRAMES, MIN_FRAMES, MAX_FRAMES),
        _whole(options, "width", 640, 64, 4096),
        _whole(options, "height", 480, 64, 4096),
    )


def _whole(options: dict[str, str], name: str, default: int, low: int, high: int) -> int:
    text = options.get(name, str(default))
    if not re.fullmatch(r"\d{1,6}", text, re.ASCII) or not low <= int(text) <= high:
        raise SourceError(f"rooms: {name}={text} is not a whole number from {low} to {high}")
    return int(text)
