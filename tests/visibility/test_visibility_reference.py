"""The fast path against the plain per-pixel reference, from every source of depth.

Stated agreement with the reference: shares within 0.06, area within 5 % above 400 map pixels, box within 2 map pixels
or 4 cm on the object (a cell of the label grid and what it rounds). Points drawn as discs have no sharp outline: mean
area within 10 %, shares within 0.1 above 400 pixels.
"""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from visibility_reference import (
    PlainView,
    as_points,
    compare,
    furnished,
    plain_views,
    random_rooms,
    without_depth,
)

from handmade import CAMERA
from spaceland.scenes.scene import Scene
from spaceland.visibility import MapMaker, ObjectView, VisibilityConfig, scene_visibility

CONFIG = VisibilityConfig()
LARGE_PX = 400


@cache
def rooms() -> tuple[Scene, ...]:
    """The furnished room and a random one, with id maps and depth."""
    return furnished(with_ids=True), *random_rooms(1, with_ids=True)


@cache
def plain(room: int, frame_id: str) -> dict[int, PlainView]:
    scene = rooms()[room]
    return plain_views(scene, scene.frames_by_id[frame_id], CONFIG)


def without_ids(scene: Scene) -> Scene:
    return replace(scene, frames=tuple(replace(frame, object_ids=None) for frame in scene.frames))


SOURCES = {"ids": lambda s: s, "sensor": without_ids, "mesh": without_depth, "points": as_points}


@cache
def pairs(source: str) -> list[tuple[ObjectView, PlainView, dict[str, float]]]:
    """Every view that either path finds, with the differences."""
    found = []
    for room, scene in enumerate(rooms() if source != "points" else rooms()[:1]):
        fast = scene_visibility(SOURCES[source](replace(scene, frames=scene.frames[:3])), CONFIG)
        for frame in scene.frames[:3]:
            expected = {k: v for k, v in plain(room, frame.id).items() if v.area >= CONFIG.min_visible_px}
            views = {view.object_id: view for view in fast.in_frame(frame.id)}
            slack_px = 2 * CONFIG.min_visible_px
            assert all(expected[k].area < slack_px for k in set(expected) - set(views))
            assert all(views[k].visible_px < 4 * slack_px for k in set(views) - set(expected))
            for k in set(views) & set(expected):
                found.append((views[k], expected[k], compare(views[k], expected[k], frame.camera, CONFIG)))
    assert len(found) > (10 if source == "points" else 25)
    return found


@pytest.mark.parametrize("source", ["ids", "sensor", "mesh"])
def test_agrees_with_the_reference(source: str) -> None:
    for view, expected, difference in pairs(source):
        where = (source, view, expected.area)
        assert difference["visible_fraction"] <= 0.06, where
        assert difference["truncated"] <= 0.06, where
        assert difference["occluded"] <= 0.06 or expected.area < LARGE_PX, where
        assert difference["area"] <= 0.05 or expected.area < LARGE_PX, where
        four_cm_px = 0.04 * CAMERA.fx / view.anchor_depth_m
        assert difference["box"] <= max(2, four_cm_px) or expected.area < LARGE_PX, where
        assert difference["box"] == 0 or source == "sensor", where


def test_discs_come_close() -> None:
    found = [(e, d) for _, e, d in pairs("points") if e.area >= LARGE_PX]
    assert np.mean([difference["area"] for _, difference in found]) < 0.1
    for expected, difference in found:
        for key in ("visible_fraction", "truncated", "occluded"):
            assert difference[key] <= 0.1, (expected.area, key, difference)


@pytest.mark.parametrize("source", ["ids", "sensor", "mesh", "points"])
def test_shares_are_not_biased(source: str) -> None:
    found = pairs(source)
    for key in ("visible_fraction", "truncated", "occluded"):
        errors = [getattr(view, key) - getattr(expected, key) for view, expected, _ in found]
        assert abs(np.mean(errors)) < (0.03 if source == "points" else 0.01), (source, key, np.mean(errors))


@pytest.mark.parametrize("source", ["ids", "sensor", "mesh", "points"])
def test_anchor_lies_on_its_object(source: str) -> None:
    for view, expected, _ in pairs(source):
        u, v = view.anchor_px
        if expected.area >= LARGE_PX or source in ("ids", "mesh"):
            assert expected.mask[int(v), int(u)], (source, view)


def test_map_sources_agree() -> None:
    """The same picture from the id map, sensor depth, the mesh and points: ids differ along outlines only."""
    scene = replace(rooms()[0], frames=rooms()[0].frames[:3])
    variants = {name: SOURCES[name](scene) for name in SOURCES}
    makers = {name: MapMaker(variant, CONFIG) for name, variant in variants.items()}
    for frame in range(3):
        maps = {name: makers[name].maps(variant.frames[frame]) for name, variant in variants.items()}
        truth = maps["ids"]
        for name, wrong, off_m in (("mesh", 1e-4, 1e-4), ("sensor", 0.005, 1e-4), ("points", 0.03, 0.03)):
            assert (maps[name].object_ids != truth.object_ids).mean() <= wrong, name
            assert np.median(np.abs(maps[name].depth - truth.depth)) < off_m, name


@pytest.mark.heavy
def test_half_resolution_keeps_the_area() -> None:
    """Ray-cast maps of 320x240 against 640x480: objects over 400 pixels differ by at most 5 %."""
    camera = CAMERA.scaled(640, 480)
    compared = 0
    for scene in (furnished(with_depth=False, camera=camera), *random_rooms(2, with_depth=False, camera=camera)):
        half = scene_visibility(scene, VisibilityConfig())
        full = scene_visibility(scene, VisibilityConfig(width_px=640))
        for view in full.views:
            if view.visible_px > LARGE_PX:
                other = half.view(view.frame_id, view.object_id)
                assert other is not None
                assert abs(other.visible_px / view.visible_px - 1) <= 0.05, (view, other)
                compared += 1
    assert compared > 60


@pytest.mark.heavy
def test_sample_rooms_agree_with_the_reference() -> None:
    rooms_module = pytest.importorskip("spaceland.scenes.rooms", reason="sample rooms are not there")
    if not hasattr(rooms_module, "open_source"):
        pytest.skip("sample rooms are not there")
    from spaceland.scenes.sources import open_source

    scene = open_source("rooms:3").open("room0003")
    frames = scene.frames[:: max(1, len(scene.frames) // 3)][:3]
    scene = replace(scene, frames=frames)
    fast = scene_visibility(scene, CONFIG)
    differences = []
    for frame in frames:
        for object_id, expected in plain_views(scene, frame, CONFIG).items():
            view = fast.view(frame.id, object_id)
            if expected.area < CONFIG.min_visible_px:
                continue
            assert view is not None, (frame.id, object_id, expected.area)
            difference = compare(view, expected, frame.camera, CONFIG)
            if expected.area >= LARGE_PX:
                assert difference["area"] <= 0.05, (view, expected.area)
                assert difference["visible_fraction"] <= 0.06, (view, expected)
                assert difference["box"] <= 2, (view, expected.box)
            differences.append(difference["visible_fraction"])
    assert len(differences) >= 5
    assert np.mean(differences) < 0.02
