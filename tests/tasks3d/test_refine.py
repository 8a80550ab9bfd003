"""Grounding scored without and with proposals: boxes whose overlaps are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from spaceland.geometry.boxes import OrientedBox
from spaceland.tasks3d.box9_frames import Box9
from spaceland.tasks3d.prompts import grounding_answer
from spaceland.tasks3d.refine import GroundingItem, grounding_figures, refine

T = np.eye(4)
T[:3, :3] = Rotation.from_euler("ZXY", [0.4, -1.9, 0.2]).as_matrix()
T[:3, 3] = 1.0, -2.0, 1.5
TRUTH = OrientedBox(np.array([0.0, 0.0, 0.5]), np.ones(3), np.eye(3))
PROPOSALS = np.array([[0.0, 0.0, 0.5, 1.0, 1.0, 1.0], [5.0, 0.0, 0.5, 1.0, 1.0, 1.0]])


def reply(shift_m: float, convention: str = "ZXY") -> str:
    """The true box moved along x, as seen by frame 1; a cube moved by s overlaps itself by (1 - s) / (1 + s)."""
    box = Box9((shift_m, 0.0, 0.5, 1, 1, 1, 0, 0, 0), convention)  # type: ignore[arg-type]
    return grounding_answer(box.in_camera(T, 1))


def item(proposals: np.ndarray | None = PROPOSALS) -> GroundingItem:
    return GroundingItem(np.stack([np.eye(4), T]), TRUTH, proposals)


def test_both_figures() -> None:
    # Overlaps 1, 1/2 (nearly), 1/7 and 0 (no proposal touches the last one).
    replies = [reply(0.0), reply(0.3), reply(0.75), reply(20.0), "I do not know"]
    figures = grounding_figures([item()] * 5, replies)
    assert figures.num_items == 5 and figures.unread == {"no bbox_3d in the reply": 1}
    assert figures.raw.accuracy == {0.25: 40.0, 0.5: 40.0}
    assert figures.refined is not None and figures.refined.accuracy == {0.25: 60.0, 0.5: 60.0}
    assert figures.raw.mean_iou == pytest.approx((1 + 7 / 13 + 1 / 7) / 5, abs=0.02)
    assert figures.refined.mean_iou == pytest.approx(0.6, abs=1e-6)


def test_without_proposals_there_is_no_second_figure() -> None:
    assert grounding_figures([item(None), item()], [reply(0.0)] * 2).refined is None
    nothing = grounding_figures([item()], ["no"])
    assert nothing.raw.accuracy == {0.25: 0.0, 0.5: 0.0} and nothing.refined == nothing.raw
    assert grounding_figures([], []).raw.mean_iou == 0.0


def test_the_convention_decides() -> None:
    old = reply(0.0, "zxy")
    assert grounding_figures([item()], [old], convention="zxy").raw.mean_iou > 0.95
    assert grounding_figures([item()], [old], convention="ZXY").raw.mean_iou < 0.9


def test_refine_takes_the_best_or_keeps() -> None:
    near = OrientedBox(np.array([4.8, 0.0, 0.5]), np.ones(3), np.eye(3))
    assert np.allclose(refine(near, PROPOSALS).center, PROPOSALS[1, :3])
    far = OrientedBox(np.array([0.0, 9.0, 0.5]), np.ones(3), np.eye(3))
    assert np.allclose(refine(far, PROPOSALS).center, far.center)
