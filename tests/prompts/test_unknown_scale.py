"""A scene whose scale is not known is not passed off as one in metres."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from handmade import box_scene
from spaceland.geometry.transforms import look_at
from spaceland.prompts import BevConfig, MarkConfig, mark_scene
from spaceland.prompts.marked import read_marked
from spaceland.scenes.scene import Scene


@pytest.fixture(scope="module")
def scene() -> Scene:
    pose = look_at(np.array([3.0, 1.2, 1.5]), np.array([2.8, 4.8, 0.6]))
    return box_scene([("chair", (2, 4, 0.5), (0.5, 0.5, 1))], [pose], with_ids=True, id="room")


@pytest.mark.parametrize(
    ("provenance", "known"),
    [({}, True), ({"reconstruction": {"metric": True}}, True), ({"reconstruction": {"metric": False}}, False)],
)
def test_marked_views_say_whether_lengths_are_metres(
    scene: Scene, provenance: dict[str, object], known: bool, tmp_path: Path
) -> None:
    made = mark_scene(
        replace(scene, geometry="estimated", provenance=provenance), tmp_path, MarkConfig(bev=BevConfig(size_px=300))
    )
    text = made.prompt[0]["content"][-1]["text"]
    assert ("Lengths are in metres." in text) == known and ("the true scale is unknown" in text) != known
    assert made.record["scale_known"] is known is read_marked(tmp_path).scale_known
    # Behind the bar stands more than a plain "1 m".
    assert made.bev is not None and made.bev.bar_px is not None
    ink = (made.bev.image[made.bev.strip_top_px :, made.bev.bar_px[1] + 3 : -60] < 128).any((0, 2))
    assert (np.flatnonzero(ink).max() > 60) != known
