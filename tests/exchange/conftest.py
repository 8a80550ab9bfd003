"""One small dataset and its SPAR-7M export, made once for all tests here."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from release_room import BOXES, POSES

from handmade import box_scene
from scannet_writer import write_scannet
from spaceland.datasets.config import GenerateConfig
from spaceland.datasets.generate import generate
from spaceland.exchange.export import export_dataset
from spaceland.exchange.locate import Locator
from spaceland.scenes.sources import open_scene

SOURCE = "rooms:1?frames=32&width=160&height=120"
TASKS = (
    "depth_prediction_oc", "depth_prediction_oo", "distance_prediction_oc", "distance_prediction_oo",
    "obj_spatial_relation_oo", "spatial_imagination_oc", "spatial_imagination_oo", "depth_prediction_oc_mv",
    "depth_prediction_oo_mv", "distance_prediction_oc_mv", "distance_prediction_oo_mv", "position_matching",
    "view_change_infer", "obj_spatial_relation_oc_mv", "obj_spatial_relation_oo_mv", "spatial_imagination_oc_mv",
    "spatial_imagination_oo_mv", "distance_prediction_oo_video", "spatial_imagination_oc_video",
    "spatial_imagination_oo_video", "spatial_imagination_oo_video_hard", "obj_count", "room_size",
    "camera_motion_infer", "distance_infer_center_oo", "distance_infer_center_oo_mv", "distance_infer_center_oo_video",
    "spatial_volume_infer", "spatial_imagination_map_mv", "distance_infer_center_oc", "distance_infer_center_oc_mv",
    "spatial_imagination_oc_video_hard", "obj_frame_locate", "appearance_order", "nav_video",
)  # fmt: skip


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generated dataset folder called `small`."""
    folder = tmp_path_factory.mktemp("exchange") / "small"
    generate([SOURCE], folder, GenerateConfig(tasks=TASKS, per_scene=3), workers=1)
    return folder


@pytest.fixture(scope="session")
def spar(dataset: Path) -> Path:
    """The dataset in SPAR-7M's layout."""
    out = dataset.with_name("spar7m")
    export_dataset(dataset, out, "spar7m")
    return out


@pytest.fixture(scope="session")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the scan scene0000_00."""
    folder = tmp_path_factory.mktemp("scans")
    write_scannet(box_scene(BOXES, POSES), folder / "scene0000_00")
    return folder


@pytest.fixture(scope="session")
def locator(scans: Path) -> Locator:
    return Locator(open_scene(f"scannet:{scans}"))
