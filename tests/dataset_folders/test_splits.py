"""Which scenes are used: rooms never in two parts, benchmark scenes left out, both without opening a scene."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from spaceland.datasets.config import GenerateConfig
from spaceland.datasets.generate import generate, list_jobs
from spaceland.datasets.splits import (
    LISTS,
    Origin,
    Selection,
    Split,
    benchmark_list,
    origin_of,
    part_of,
)
from spaceland.datasets.stage import SceneJob, staging_path
from spaceland.errors import SceneError, SourceError
from spaceland.files import write_text
from spaceland.scenes.scene import Scene
from spaceland.scenes.sources import Source, open_source


@dataclass
class Names:
    """A source that has ids and cannot open anything."""

    kind: str
    names: tuple[str, ...] = ()
    folders: dict[str, Path] = field(default_factory=dict)

    def ids(self) -> tuple[str, ...]:
        return self.names

    def open(self, scene_id: str) -> Scene:
        raise AssertionError("a scene was opened to decide whether it is used")


def saved(folder: Path, name: str, provenance: dict[str, object]) -> Names:
    (folder / name).mkdir(parents=True)
    (folder / name / "scene.json").write_text(json.dumps({"id": name, "provenance": provenance}))
    return Names("folder", (name,), {name: folder / name})


def test_the_lists_are_whole() -> None:
    sizes = {name: (len(benchmark_list(name).scenes), len(benchmark_list(name).rooms)) for name in LISTS}
    assert sizes == {"scannet": (312, 142), "scannetpp": (50, 0), "arkitscenes": (549, 183)}
    assert {scene[:9] for scene in benchmark_list("scannet").scenes} == benchmark_list("scannet").rooms
    assert all(len(scene) == 10 for scene in benchmark_list("scannetpp").scenes)
    assert all(scene.isdecimal() and len(scene) == 8 for scene in benchmark_list("arkitscenes").scenes)


@pytest.mark.parametrize(
    ("kind", "scene_id", "expected"),
    [
        ("scannet", "scene0568_02", Origin("scannet", "scene0568_02", "scene0568")),
        ("scannetpp", "7b6477cb95", Origin("scannetpp", "7b6477cb95", "7b6477cb95")),
        ("matterport3d", "17DRP5sb8fy_region3", Origin("matterport3d", "17DRP5sb8fy_region3", "17DRP5sb8fy")),
        ("structured3d", "scene_00000_room_485142", Origin("structured3d", "scene_00000_room_485142", "scene_00000")),
        ("embodiedscan", "scannet_scene0568_00", Origin("scannet", "scene0568_00", "scene0568")),
        ("embodiedscan", "matterport3d_17DR_region0", Origin("matterport3d", "17DR_region0", "17DR")),
        ("embodiedscan", "arkitscenes_Validation_41069021", Origin("arkitscenes", "41069021", "41069021")),
        ("rooms", "room0007", Origin("rooms", "room0007", "room0007")),
    ],
)  # fmt: skip
def test_names_tell_dataset_and_room(kind: str, scene_id: str, expected: Origin) -> None:
    assert origin_of(Names(kind), scene_id) == expected


def test_sources_that_know_their_rooms(tmp_path: Path) -> None:
    for video in ("41069021", "41069025", "99000001"):
        folder = tmp_path / "ark" / "raw" / "Training" / video
        folder.mkdir(parents=True)
        (folder / "lowres_wide.traj").write_text("")
    (tmp_path / "ark" / "raw" / "metadata.csv").write_text("video_id,visit_id\n41069021,381658.0\n41069025,381658\n")
    source = open_source(f"arkitscenes:{tmp_path / 'ark'}")
    assert [origin_of(source, name).room for name in source.ids()] == ["381658", "381658", "99000001"]
    for scan in ("first", "again", "other"):
        (tmp_path / "rio" / scan).mkdir(parents=True)
        (tmp_path / "rio" / scan / "semseg.v2.json").write_text("{}")
    (tmp_path / "rio" / "3RScan.json").write_text('[{"reference": "first", "scans": [{"reference": "again"}]}]')
    source = open_source(f"3rscan:{tmp_path / 'rio'}")
    assert {name: origin_of(source, name).room for name in source.ids()} == {
        "again": "first",
        "first": "first",
        "other": "other",
    }


def test_saved_scenes_remember_where_they_come_from(tmp_path: Path) -> None:
    source = saved(tmp_path, "mine", {"kind": "scannet", "room": "scene0568"})
    assert origin_of(source, "mine") == Origin("scannet", "mine", "scene0568")
    assert not Selection().keeps(source, "mine"), "the room is on the list, whatever the scene is called now"
    source = saved(tmp_path, "x", {"kind": "embodiedscan", "sample": "scannet/scene0568_00"})
    assert origin_of(source, "x") == Origin("scannet", "scene0568_00", "scene0568")
    source = saved(tmp_path, "y", {"kind": "rooms"})
    assert Selection().keeps(source, "y")
    (tmp_path / "y" / "scene.json").write_text("{")
    assert Selection().keeps(source, "y"), "opening it will say what is wrong"


def test_rescans_stay_together_and_shares_are_met() -> None:
    split = Split(val_share=0.2)
    source: Source = Names("scannet")
    parts = {
        room: {part_of(origin_of(source, f"scene{room:04d}_{scan:02d}"), split) for scan in range(3)}
        for room in range(1000)
    }
    assert all(len(found) == 1 for found in parts.values())
    share = sum(found == {"val"} for found in parts.values()) / 1000
    # Binomial, n = 1000: four standard deviations are 0.05.
    assert 0.15 < share < 0.25


def test_a_larger_share_only_adds_rooms_and_seeds_differ() -> None:
    origins = [Origin("scannet", "", f"scene{k:04d}") for k in range(300)]

    def val(split: Split) -> set[str]:
        return {origin.room for origin in origins if part_of(origin, split) == "val"}

    assert val(Split(val_share=0.1)) < val(Split(val_share=0.3))
    assert val(Split(val_share=0.0)) == set() and len(val(Split(val_share=1.0))) == 300
    assert val(Split(val_share=0.3)) != val(Split(val_share=0.3, seed=1))
    with pytest.raises(SourceError, match="between 0 and 1"):
        Split(val_share=1.5)


def test_parts_are_disjoint_and_whole() -> None:
    source = Names("scannet", tuple(f"scene{room:04d}_{scan:02d}" for room in range(100) for scan in range(2)))
    train, val = (Selection(Split(part=part, val_share=0.3)) for part in ("train", "val"))
    in_train = {name for name in source.ids() if train.keeps(source, name)}
    in_val = {name for name in source.ids() if val.keeps(source, name)}
    assert not in_train & in_val
    assert in_train | in_val | set(train.left_out) == set(source.ids())
    listed = [name for name in source.ids() if name[:9] in benchmark_list("scannet").rooms]
    assert train.left_out == val.left_out == listed
    assert train.elsewhere == len(in_val)


def test_benchmark_scenes_can_be_kept() -> None:
    source = Names("scannet", ("scene0568_00", "scene0000_00"))
    selection = Selection(Split(benchmark_scenes=True))
    assert all(selection.keeps(source, name) for name in source.ids())
    said = selection.to_json()
    assert said["benchmark_lists"] == [] and said["benchmark_scenes_left_out"] == []
    selection = Selection()
    assert [selection.keeps(source, name) for name in source.ids()] == [False, True]
    said = selection.to_json()
    assert said["benchmark_scenes_left_out"] == ["scene0568_00"]
    assert said["benchmark_lists"][0]["name"] == "scannet_validation.txt"
    assert said["benchmark_lists"][0]["scenes"] == 312 and len(said["benchmark_lists"][0]["sha256"]) == 64


def test_other_datasets_with_the_same_names_are_not_touched() -> None:
    assert Selection().keeps(Names("rgbd"), "scene0568_00")


def no_rows(jobs: Sequence[SceneJob]) -> Iterator[tuple[SceneJob, str | None]]:
    """An engine that finds nothing to ask."""
    for job in jobs:
        head = {"scene": job.scene_id, "rows": 0, "rejections": {}}
        write_text(staging_path(job.out, job.scene_id), json.dumps(head) + "\n")
        yield job, None


def test_a_dataset_says_what_was_applied(tmp_path: Path) -> None:
    config = GenerateConfig(split=Split(part="val", val_share=0.5))
    jobs = [job.scene_id for job in list_jobs(["rooms:1-6"], tmp_path, config, None)]
    assert 0 < len(jobs) < 6, "the seed was chosen so that both parts have rooms"
    result = generate(["rooms:1-6"], tmp_path / "d", config, engine=no_rows)
    assert result.info is not None
    assert list(result.info["scenes"]) == jobs
    assert result.info["selection"]["split"] == "val"
    assert result.info["selection"]["scenes_in_the_other_part"] == 6 - len(jobs)
    assert result.info["config"]["split"] == {"part": "val", "val_share": 0.5, "seed": 0, "benchmark_scenes": False}


def test_nothing_left_says_why(tmp_path: Path) -> None:
    config = GenerateConfig(split=Split(part="val", val_share=0.0))
    with pytest.raises(SceneError, match="2 belong to the other part of the split"):
        list_jobs(["rooms:1-2"], tmp_path, config, None)
    selection = Selection()
    selection.keeps(Names("scannet"), "scene0568_00")
    assert "--include-benchmark-scenes" in selection.explain()
