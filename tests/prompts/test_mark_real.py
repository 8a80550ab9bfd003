"""Bird's-eye views of real scans: they hold no black holes where the scan has floor, and the ceiling is gone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spaceland.prompts import BevConfig, render_bev
from spaceland.scenes.ply import read_ply
from spaceland.scenes.scene import Scene, Surface, make_scene
from spaceland.scenes.sources import open_source


def _of(surface: Surface) -> Scene:
    return make_scene(id="real", frames=[], objects=[], surface=surface, room=None, geometry="measured", provenance={})


@pytest.mark.real
def test_replica_ceiling_is_found_without_labels_or_cameras(real_data: Path) -> None:
    ply = read_ply(real_data / "replica_office0" / "office0_mesh.ply")
    bev = render_bev(_of(Surface(ply.vertices, ply.colors, ply.faces)), BevConfig(size_px=600))
    assert bev.cut.rule == "layer"
    inside = ~np.isnan(bev.height_m)
    above_floor = bev.height_m[inside] - bev.cut.floor_z_m
    assert (above_floor < 0.15).mean() > 0.25
    assert (above_floor > 2.5).mean() < 0.1


@pytest.mark.real
def test_a_cloud_with_three_centimetres_between_points_is_filled(real_data: Path) -> None:
    with np.load(real_data / "scannet_scene0000" / "scene0000_00.npz") as data:
        surface = Surface(data["xyz"].astype(float), data["rgb"].astype(np.uint8))
    bev = render_bev(_of(surface), BevConfig(size_px=800))
    seen = ~np.isnan(bev.height_m)
    room = seen[seen.any(1)][:, seen.any(0)]
    assert room.mean() > 0.85


@pytest.mark.real
def test_a_video_with_depth_needs_no_surface(real_data: Path) -> None:
    source = open_source(f"rgbd:{real_data}/7scenes_redkitchen?up=0.0173,-0.8897,-0.4561")
    bev = render_bev(source.open(source.ids()[0]), BevConfig(size_px=600))
    assert bev.surface_kind == "fused depth"
    heights = bev.height_m[~np.isnan(bev.height_m)] - bev.cut.floor_z_m
    table = np.histogram(heights, np.arange(0.6, 1.0, 0.04))[0]
    assert 0.68 <= 0.62 + 0.04 * np.argmax(table) <= 0.92  # table top or work top


@pytest.mark.real
def test_a_cloud_in_perspective_shows_the_same_table_and_small_holes_are_filled(real_data: Path) -> None:
    source = open_source(f"rgbd:{real_data}/7scenes_redkitchen?up=0.0173,-0.8897,-0.4561&stride=4")
    scene = source.open(source.ids()[0])
    config = BevConfig(size_px=500, projection="perspective", fill_holes_m=0.2)
    bev = render_bev(scene, config)
    flat = render_bev(scene, BevConfig(size_px=500))
    peaks = []
    for one in (bev, flat):
        seen = ~np.isnan(one.height_m) & ~one.filled
        heights = one.height_m[seen] - one.cut.floor_z_m
        peaks.append(0.62 + 0.04 * np.argmax(np.histogram(heights, np.arange(0.6, 1.0, 0.04))[0]))
    assert abs(peaks[0] - peaks[1]) < 0.05 and 0.68 <= peaks[0] <= 0.92
    assert 0 < bev.filled.mean() < 0.03 and bev.holes[0] > 0
