"""Anchors, box code and suppression: analytic answers, an inverse, and a plain reference."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spaceland.errors import SceneError
from spaceland.objects.picture_boxes import areas_px, check_picture, ious, suppress
from spaceland.objects.ssd import CODE_SCALE, decode_boxes, ssd_anchors


def test_anchors_are_those_of_six_maps() -> None:
    anchors = ssd_anchors()
    assert len(anchors) == 3 * 19**2 + 6 * (10**2 + 5**2 + 3**2 + 2**2 + 1)
    # The last cell is the whole picture: scale 0.95 at five aspects, then the square between 0.95 and 1.
    last = anchors[-6:]
    np.testing.assert_allclose(last[:, :2], 0.5)
    np.testing.assert_allclose(last[:5, 2] * last[:5, 3], 0.95**2)
    np.testing.assert_allclose(last[:5, 3] / last[:5, 2], [1, 2, 0.5, 3, 1 / 3])
    np.testing.assert_allclose(last[5, 2:], np.sqrt(0.95))
    # Row by row: the second cell of the finest map lies to the right of the first.
    assert anchors[3, 0] == anchors[0, 0] and anchors[3, 1] == pytest.approx(1.5 / 19)
    np.testing.assert_allclose(anchors[0, 2:], 0.1)
    np.testing.assert_allclose(anchors[1, 3] / anchors[1, 2], 2)


def test_a_zero_code_is_the_anchor_and_a_known_code_is_worked_out_by_hand() -> None:
    anchor = np.array([[0.5, 0.4, 0.2, 0.1]])
    np.testing.assert_allclose(decode_boxes(np.zeros((1, 4)), anchor), [[0.35, 0.4, 0.45, 0.6]])
    # Down by half the anchor's height, right by its width, twice as high.
    code = np.array([[5.0, 10.0, 5 * np.log(2), 0.0]])
    np.testing.assert_allclose(decode_boxes(code, anchor), [[0.45, 0.4, 0.55, 0.8]])


def _encode(boxes: np.ndarray, anchors: np.ndarray) -> np.ndarray:
    """Codes of boxes with area, worked out from the definition."""
    low, high = boxes[:, [1, 0]], boxes[:, [3, 2]]
    offset = ((low + high) / 2 - anchors[:, :2]) / anchors[:, 2:]
    return np.concatenate([offset, np.log((high - low) / anchors[:, 2:])], 1) * CODE_SCALE


@given(st.integers(0, 10**6))
def test_encoding_is_the_inverse_of_decoding(seed: int) -> None:
    rng = np.random.default_rng(seed)
    anchors = ssd_anchors()[rng.integers(0, 1917, 8)]
    low = rng.uniform(0, 0.8, (8, 2))
    boxes = np.concatenate([low, low + rng.uniform(0.01, 0.2, (8, 2))], 1)
    np.testing.assert_allclose(decode_boxes(_encode(boxes, anchors), anchors), boxes, atol=1e-12)


def test_absurd_codes_stay_finite() -> None:
    assert np.isfinite(decode_boxes(np.full((1917, 4), 1e6), ssd_anchors())).all()


def _random_boxes(rng: np.random.Generator, num: int) -> np.ndarray:
    low = rng.uniform(0, 50, (num, 2))
    return np.concatenate([low, low + rng.uniform(1, 40, (num, 2))], 1)


@given(st.integers(0, 10**6))
def test_suppression_equals_a_plain_loop(seed: int) -> None:
    rng = np.random.default_rng(seed)
    boxes, scores, groups = _random_boxes(rng, 15), rng.uniform(0, 1, 15), rng.integers(0, 3, 15)
    kept: list[int] = []
    for k in sorted(range(15), key=lambda k: -scores[k]):
        rivals = [j for j in kept if groups[j] == groups[k]]
        if all(_plain_iou(boxes[j], boxes[k]) <= 0.3 for j in rivals):
            kept.append(k)
    assert suppress(boxes, scores, max_iou=0.3, groups=groups).tolist() == kept


def _plain_iou(a: np.ndarray, b: np.ndarray) -> float:
    w = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    h = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - w * h
    return w * h / union


def test_a_box_inside_a_better_one_goes_only_when_asked() -> None:
    boxes, scores = np.array([[0.0, 0.0, 10.0, 10.0], [1.0, 1.0, 4.0, 4.0]]), np.array([0.9, 0.8])
    assert suppress(boxes, scores, max_iou=0.5).tolist() == [0, 1]
    assert suppress(boxes, scores, max_iou=0.5, max_inside=0.9).tolist() == [0]


def test_empty_boxes_have_no_overlap_and_no_boxes_are_fine() -> None:
    flat = np.array([[1.0, 1.0, 1.0, 5.0], [3.0, 3.0, 2.0, 2.0]])
    assert areas_px(flat).tolist() == [0, 0]
    assert ious(flat, flat).tolist() == [[0, 0], [0, 0]]
    assert len(suppress(np.zeros((0, 4)), np.zeros(0), max_iou=0.5)) == 0


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((1, 1, 3), np.uint8),
        np.zeros((480, 640), np.uint8),
        np.zeros((480, 640, 4), np.uint8),
        np.zeros((480, 640, 3), np.float32),
        np.zeros((0, 640, 3), np.uint8),
    ],
)
def test_what_is_no_colour_picture_is_refused(picture: np.ndarray) -> None:
    with pytest.raises(SceneError, match=r"found a picture of .*(convert|at least 16 px)"):
        check_picture(picture)
