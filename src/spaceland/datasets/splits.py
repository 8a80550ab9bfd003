"""Which scenes a dataset is made from: no benchmark scenes, and train and val without a common room.

    Split(part="train", val_share=0.1)     nine rooms of ten; part="val" gives the others

A room goes to val when the hash of (seed, dataset, room) falls below the share, so the decision needs no other scene:
datasets made at different times, from other subsets or on other machines never disagree. All scans of a room share its
hash, and so do the regions of one building, which can be seen from each other through doors.

Scenes on which published benchmarks are evaluated are left out by default. The lists are files of this package, one
scene on a line with the room after it where scene and room differ; each applies to one dataset, wherever its scenes are
read from: its own folders, EmbodiedScan's samples of it, or scene folders that were saved from it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from spaceland.errors import SceneError, SourceError
from spaceland.files import read_json
from spaceland.scenes.sources import Source

LISTS = {
    "scannet": "scannet_validation.txt",
    "scannetpp": "scannetpp_validation.txt",
    "arkitscenes": "arkitscenes_validation.txt",
}
"""The list of each dataset; a file in `benchmark_scenes`."""


@dataclass(frozen=True, kw_only=True)
class Split:
    """Which of the scenes are used."""

    part: Literal["all", "train", "val"] = "all"
    val_share: float = 0.1
    """Share of the rooms that is val."""
    seed: int = 0
    """Another seed makes another split. It is not that of the questions, which may change without moving a room."""
    benchmark_scenes: bool = False
    """Keep the scenes on which benchmarks are evaluated."""

    def __post_init__(self) -> None:
        if not 0 <= self.val_share <= 1:
            raise SourceError(f"--val-share is {self.val_share}; it must be between 0 and 1")

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Origin:
    """Where a scene comes from: dataset, its name there, and the room (or building) it shows."""

    dataset: str
    name: str
    room: str


@dataclass(frozen=True)
class BenchmarkList:
    """Scenes that a benchmark is evaluated on. `rooms` are left out as well, whichever scan of them it is."""

    file: str
    sha256: str
    scenes: frozenset[str]
    rooms: frozenset[str]

    def names(self, origin: Origin) -> bool:
        """Whether the scene, or another scan of its room, is on the list."""
        return origin.name in self.scenes or origin.room in self.rooms


@dataclass
class Selection:
    """Decides scene by scene, and remembers what was left out."""

    split: Split = field(default_factory=Split)
    left_out: list[str] = field(default_factory=list)
    """Ids of benchmark scenes that were left out."""
    datasets: set[str] = field(default_factory=set)
    elsewhere: int = 0
    """Scenes that belong to the other part of the split."""

    def keeps(self, source: Source, scene_id: str) -> bool:
        """Whether a scene is used; scenes are asked about once each, in order."""
        origin = origin_of(source, scene_id)
        if not self.split.benchmark_scenes and origin.dataset in LISTS:
            self.datasets.add(origin.dataset)
            if benchmark_list(origin.dataset).names(origin):
                self.left_out.append(scene_id)
                return False
        if self.split.part != "all" and part_of(origin, self.split) != self.split.part:
            self.elsewhere += 1
            return False
        return True

    def to_json(self) -> dict[str, Any]:
        """For `info.json`: the split, the lists that were applied, and the scenes left out."""
        lists = [benchmark_list(name) for name in sorted(self.datasets)]
        return {
            "split": self.split.part,
            "scenes_in_the_other_part": self.elsewhere,
            "benchmark_lists": [
                {"name": entry.file, "scenes": len(entry.scenes), "sha256": entry.sha256} for entry in lists
            ],
            "benchmark_scenes_left_out": list(self.left_out),
        }

    def explain(self) -> str:
        """Why nothing is left, for an error message; empty when nothing was left out."""
        reasons = []
        if self.left_out:
            reasons.append(
                f"{len(self.left_out)} are scenes that benchmarks are evaluated on "
                "(--include-benchmark-scenes keeps them)"
            )
        if self.elsewhere:
            reasons.append(f"{self.elsewhere} belong to the other part of the split")
        return " and ".join(reasons)


def part_of(origin: Origin, split: Split) -> Literal["train", "val"]:
    """The part of a room.

    >>> part_of(Origin("scannet", "scene0001_00", "scene0001"), Split(val_share=0.0))
    'train'
    """
    digest = hashlib.sha256(f"{split.seed}:{origin.dataset}:{origin.room}".encode()).digest()
    return "val" if int.from_bytes(digest[:8], "big") < split.val_share * 2**64 else "train"


@cache
def benchmark_list(dataset: str) -> BenchmarkList:
    """The list of a dataset that has one."""
    data = (resources.files("spaceland.datasets") / "benchmark_scenes" / LISTS[dataset]).read_bytes()
    lines = [line.split() for line in data.decode().splitlines() if line.strip() and not line.startswith("#")]
    rooms = frozenset(line[1] for line in lines if len(line) > 1)
    return BenchmarkList(LISTS[dataset], hashlib.sha256(data).hexdigest(), frozenset(line[0] for line in lines), rooms)


def origin_of(source: Source, scene_id: str) -> Origin:
    """Dataset, name and room of a scene, without opening it: reading a mesh only to leave it out would take hours."""
    kind, name = source.kind, scene_id
    if kind == "folder":
        return _saved_origin(source, scene_id)
    if kind == "embodiedscan":
        kind, _, name = scene_id.partition("_")
        if kind == "arkitscenes":
            name = re.sub(r"^(Training|Validation)_", "", name)
    room_of: Callable[[str], str] | None = getattr(source, "room_of", None)
    return Origin(kind, name, room_of(name) if room_of else _room_by_name(kind, name))


def _saved_origin(source: Source, scene_id: str) -> Origin:
    """A saved scene says in its own file what it was saved from."""
    folders: dict[str, Path] = getattr(source, "folders", {})
    folder = folders[scene_id]
    try:
        provenance = read_json(folder / "scene.json")["provenance"]
        kind = str(provenance.get("kind") or "folder")
        room = provenance.get("room")
    except (SceneError, KeyError, TypeError, AttributeError):
        return Origin("folder", scene_id, scene_id)  # opening the scene will say what is wrong with it
    name = scene_id
    if kind == "embodiedscan":
        dataset, _, name = str(provenance.get("sample") or scene_id).partition("/")
        kind, name = dataset, name.replace("/", "_")
        name = re.sub(r"^(Training|Validation)_", "", name) if kind == "arkitscenes" else name
    return Origin(kind, name, str(room) if room else _room_by_name(kind, name))


def _room_by_name(kind: str, name: str) -> str:
    """The room where names tell it: scene0000_01 is a scan of scene0000, regions and rooms are parts of a building."""
    if kind == "scannet":
        return name.rsplit("_", 1)[0]
    if kind == "structured3d":
        return name.partition("_room_")[0]
    if kind == "matterport3d":
        return name.partition("_")[0]
    return name
