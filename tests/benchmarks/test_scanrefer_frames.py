"""Boxes that are said in a camera: VG LLM's two conventions, SPAR's pixel and depth, and what `strict` takes."""

from __future__ import annotations

import numpy as np
import pytest
from scanrefer_help import UNIT, camera_fields, frame_box, metrics
from scipy.spatial.transform import Rotation

from spaceland.benchmarks.box_overlap import boxes_of, pair_iou
from spaceland.geometry.box9 import box9_in_camera
from spaceland.geometry.boxes import OrientedBox
from spaceland.geometry.transforms import look_at

# VG LLM.

POSE = look_at(np.array([2.0, -3, 1.5]), np.array([0.3, 0.2, 0.1]))  # pitched and turned: the order of angles matters


def test_fixed_and_moving_axes_differ_by_24_degrees() -> None:
    angles = (0.3, 0.5, -0.7)
    between = Rotation.from_euler("zxy", angles).inv() * Rotation.from_euler("ZXY", angles)
    assert np.degrees(between.magnitude()) == pytest.approx(23.9, abs=0.05)


def test_a_box_in_a_camera_needs_the_angles_of_its_time() -> None:
    truth = OrientedBox(np.zeros(3), np.array([2.0, 0.5, 1.0]), np.eye(3))
    fields = {"gt_bbox": [0, 0, 0, 2.0, 0.5, 1.0, 0, 0, 0], **camera_fields(np.eye(4), POSE)}
    new = frame_box(1, box9_in_camera(truth, POSE, "ZXY").tolist())
    old = frame_box(1, box9_in_camera(truth, POSE, "zxy").tolist())
    # In the world the angles are 0, so nothing is lost on the way by either convention.
    assert metrics("vg-llm-2511", new, **fields)["iou"] == pytest.approx(1, abs=1e-6)
    assert metrics("vg-llm", old, **fields)["iou"] == pytest.approx(1, abs=1e-6)
    assert metrics("strict", new, **fields)["iou"] == pytest.approx(1, abs=1e-6)
    assert metrics("vg-llm-2511", old, **fields)["iou"] < 0.8
    assert metrics("vg-llm", new, **fields)["iou"] < 0.8


def test_the_old_scorer_builds_another_box_than_it_decoded() -> None:
    """World angles (0.3, 0.5, -0.7), decoded as zxy, are built as ZXY."""
    angles = np.array([0.3, 0.5, -0.7])
    values = [0.0, 0, 0, 3, 0.5, 1, *angles]
    fields = {"axis_align_matrix": np.eye(4).tolist(), "cam2global": [np.eye(4).tolist()]}
    meant = Rotation.from_euler("zxy", angles).as_euler("ZXY")
    built = metrics("vg-llm", frame_box(0, values), gt_bbox=values, **fields)["iou"]
    right = metrics("vg-llm", frame_box(0, values), gt_bbox=[0, 0, 0, 3, 0.5, 1, *meant], **fields)["iou"]
    assert built == pytest.approx(1, abs=1e-6)
    assert right == pytest.approx(float(pair_iou(boxes_of([values]), boxes_of([[*values[:6], *meant]]))[0]), abs=1e-6)
    assert right < 0.6


@pytest.mark.parametrize(
    ("reply", "right"),
    [
        (frame_box(0, [0, 0, 5, 1, 1, 1, 0, 0, 0]), True),
        ('{"frame": 0, "bbox_3d": [0, 0, 5, 1, 1, 1, 0, 0, 0],}', True),
        ("{'frame': 0, 'bbox_3d': [0, 0, 5, 1, 1, 1, 0, 0, 0]}", True),
        ('It is\n{"frame": 0, "bbox_3d": [0, 0, 5, 1, 1, 1, 0, 0, 0]}\nof course', True),
        ('It is {"frame": 0, "bbox_3d": [0, 0, 5, 1, 1, 1, 0, 0, 0]}', False),  # prose in the line
        ('{"frame": 0,\n "bbox_3d": [0, 0, 5, 1, 1, 1, 0, 0, 0]}', False),  # over two lines
        ('a "bbox_3d":\n{"frame": 0, "bbox_3d": [0, 0, 5, 1, 1, 1, 0, 0, 0]}', False),  # only the first such line
        ('{"frame": 0, "bbox_3d": [0, 0, 5, 1, 1, 1, 0, 0, 0]},', False),  # a tuple
        ('{"frame": 0, "bbox_3d": [0, 0, 5, 1, 1, 1, 0, 0, 0], "sure": true}', False),  # a name in Python
        ('{"frame": 0, "bbox_3d": [0, 0, 5, 1, 1, 1, 0, 0]}', False),
        ('{"frame": 0, "bbox_3d": (0, 0, 5, 1, 1, 1, 0, 0, 0)}', False),
        ('{"frame": 0.0, "bbox_3d": [0, 0, 5, 1, 1, 1, 0, 0, 0]}', False),
        ('{"frame": "0", "bbox_3d": [0, 0, 5, 1, 1, 1, 0, 0, 0]}', False),
        ('{"frame": False, "bbox_3d": [0, 0, 5, 1, 1, 1, 0, 0, 0]}', True),  # False is 0
        ('{"frame": -1, "bbox_3d": [0, 0, 5, 1, 1, 1, 0, 0, 0]}', False),
        ('{"frame": 2, "bbox_3d": [0, 0, 5, 1, 1, 1, 0, 0, 0]}', False),  # there are two frames: 0 and 1
        ('{"frame": 0, "bbox_3d": [0, 0, 5, -1, 1, 1, 0, 0, 0]}', True),  # inside out is the same solid
        ('{"frame": 0, "bbox_3d": [0, 0, "5", 1, 1, 1, 0, 0, 0]}', False),
        ('["frame", "bbox_3d"]', False),
        ('"bbox_3d frame"', False),
        ("", False),
    ],
)
@pytest.mark.parametrize("protocol", ["vg-llm", "vg-llm-2511", "vg-llm-refined", "vg-llm-2511-refined"])
def test_the_first_line_with_a_box_decides(protocol: str, reply: str, right: bool) -> None:
    fields = {"axis_align_matrix": np.eye(4).tolist(), "cam2global": [np.eye(4).tolist()] * 2}
    truth = [0.0, 0, 5, 1, 1, 1]
    found = metrics(protocol, reply, gt_bbox=truth, proposals=[truth], **fields)
    assert found["acc@0.5"] == right


def test_thin_boxes_overlap_nothing_for_pytorch3d() -> None:
    """A face of 1 cm x 1.9 cm is below 2 cm2, one of 1 cm x 2.1 cm is not."""
    fields = {"axis_align_matrix": np.eye(4).tolist(), "cam2global": [np.eye(4).tolist()]}
    for edge, iou in ((0.019, 0.0), (0.021, 1.0)):
        box = [0.0, 0, 0, 1, 0.01, edge, 0, 0, 0]
        assert metrics("vg-llm", frame_box(0, box), gt_bbox=box, **fields)["iou"] == pytest.approx(iou)
        assert metrics("strict", frame_box(0, box), gt_bbox=box, **fields)["iou"] == pytest.approx(1)


def test_raw_and_refined_are_two_protocols() -> None:
    fields = {"axis_align_matrix": np.eye(4).tolist(), "cam2global": [np.eye(4).tolist()]}
    reply = frame_box(0, [0.7, 0, 0, 1, 1, 1, 0, 0, 0])
    assert metrics("vg-llm", reply, **fields)["iou"] == pytest.approx(0.3 / 1.7)
    assert metrics("vg-llm-refined", reply, proposals=[UNIT], **fields)["iou"] == pytest.approx(1)
    # A proposal that does not touch the prediction changes nothing.
    far = [[9.0, 9, 9, 1, 1, 1]]
    assert metrics("vg-llm-refined", reply, proposals=far, **fields)["iou"] == pytest.approx(0.3 / 1.7)


# SPAR.


def test_pixel_depth_and_size_make_a_box() -> None:
    intrinsics = [[500.0, 0, 320], [0, 500, 240], [0, 0, 1]]
    fields = {**camera_fields(np.eye(4), POSE), "cam2img": intrinsics, "image_size": [640, 480]}
    truth = np.array([0.1, 0.2, 0.3, 1.2, 0.5, 0.9])
    x, y, z = POSE[:3, :3].T @ (truth[:3] - POSE[:3, 3])
    place = f"({(500 * x / z + 320) / 0.64:.3f},{(500 * y / z + 240) / 0.48:.3f}),{z:.4f}"
    # The shorter side is along y here, along x in the second truth: nothing says which, so both count.
    reply = f"Frame-2,{place},(0.5,0.9,1.2)"
    assert metrics("spar", reply, gt_bbox=truth.tolist(), **fields)["iou"] > 0.99
    turned = truth[[0, 1, 2, 4, 3, 5]].tolist()
    assert metrics("spar", reply, gt_bbox=turned, **fields)["iou"] > 0.99
    assert metrics("spar", reply.replace("Frame-2", "Frame-1"), gt_bbox=turned, **fields)["iou"] == 0
    assert metrics("spar", reply.replace("Frame-2", "Frame-3"), gt_bbox=turned, **fields)["iou"] == 0
    near = [0.3, 0.2, 0.3, 1.2, 0.5, 0.9]
    snapped = metrics("spar-refined", reply, gt_bbox=near, proposals=[near, [9.0, 9, 9, 1, 1, 1]], **fields)
    assert snapped["iou"] == pytest.approx(1)
    assert metrics("spar", reply, gt_bbox=near, **fields)["iou"] < 0.8


# Strict.


@pytest.mark.parametrize(
    ("reply", "right"),
    [
        (str(UNIT), True),
        (f"<think>[9, 9, 9, 1, 1, 1]</think>{UNIT}", True),
        (f"First I thought [9, 9, 9, 1, 1, 1], but it is {UNIT}.", True),
        ("[0, 0, 0, 1, 1, 1, 0, 0, 0]", True),
        ('{"frame": 0,\n "bbox_3d": [0, 0, 0, 1, 1, 1, 0, 0, 0]}', True),
        ('{"frame": 1, "bbox_3d": [0, 0, 0, 1, 1, 1, 0, 0, 0]}', False),
        ('{"frame": true, "bbox_3d": [0, 0, 0, 1, 1, 1, 0, 0, 0]}', False),
        ("[0, 0, 0, -1, 1, 1]", False),
        ("", False),
    ],
)
def test_strict_reads_any_form(reply: str, right: bool) -> None:
    fields = {"axis_align_matrix": np.eye(4).tolist(), "cam2global": [np.eye(4).tolist()]}
    assert metrics("strict", reply, **fields)["acc@0.5"] == right
