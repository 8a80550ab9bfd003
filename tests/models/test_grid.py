"""Sizes: the table of VG LLM, any shape of picture, budgets, canvases of unlike frames, intrinsics."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spaceland.errors import ChatError
from spaceland.models.grid import MAX_ASPECT, TokenGrid

SIZES = st.tuples(st.integers(1, 6000), st.integers(1, 6000)).filter(lambda s: max(s) <= MAX_ASPECT * min(s))


@pytest.mark.parametrize(
    ("size", "geometry", "vlm", "tokens"),
    [
        ((640, 480), (518, 392), (504, 392), 252),
        ((1296, 968), (518, 392), (504, 392), 252),
        ((1280, 720), (518, 294), (504, 280), 180),
        ((1920, 1080), (518, 294), (504, 280), 180),
        ((700, 700), (518, 518), (504, 504), 324),
        ((480, 640), (518, 518), (504, 504), 324),
        ((1080, 1920), (518, 518), (504, 504), 324),
    ],
)
def test_vgllm_sizes_are_those_of_the_released_models(
    size: tuple[int, int], geometry: tuple[int, int], vlm: tuple[int, int], tokens: int
) -> None:
    frame = TokenGrid(preset="vgllm").frame(*size)
    assert (frame.geometry_px, frame.vlm_px, frame.num_tokens) == (geometry, vlm, tokens)
    # What a portrait loses, it loses evenly at top and bottom.
    left, top, right, bottom = frame.geometry_box
    assert (left, right) == (0, 518) and abs(top - (frame.resized_px[1] - bottom)) <= 1


def test_vgllm_32_frames_are_8064_tokens() -> None:
    assert TokenGrid(preset="vgllm").clip([(640, 480)] * 32).num_tokens == 8064


@given(SIZES, st.sampled_from([28, 32]), st.integers(1, 40), st.one_of(st.none(), st.integers(1, 500)))
def test_native_keeps_all_of_any_picture(size: tuple[int, int], token_px: int, long: int, budget: int | None) -> None:
    grid = TokenGrid(token_px=token_px, long_side_cells=long, max_frame_tokens=budget)
    frame = grid.frame(*size)
    assert frame.geometry_box == (0, 0, *frame.resized_px) == frame.cells_box
    assert frame.vlm_px == (frame.cols * token_px, frame.rows * token_px)
    assert frame.geometry_px == (frame.cols * 28, frame.rows * 28)
    assert 1 <= max(frame.shape) <= long and min(frame.shape) >= 1
    assert budget is None or frame.num_tokens <= budget
    # The aspect is off by less than half a cell, as far as one cell is not the least there can be.
    exact = max(frame.shape) * min(size) / max(size)
    assert abs(min(frame.shape) - exact) <= 0.5 or (min(frame.shape) == 1 and exact < 1)
    # A portrait is a landscape on its side.
    turned = grid.frame(size[1], size[0])
    assert turned.shape == frame.shape[::-1]


@given(SIZES)
def test_vgllm_boxes_lie_in_the_resized_frame(size: tuple[int, int]) -> None:
    try:
        frame = TokenGrid(preset="vgllm").frame(*size)
    except ChatError as error:
        assert size[0] / size[1] > 10 and "too flat" in str(error)
        return
    width, height = frame.resized_px
    assert width == 518 and height % 14 == 0
    for left, top, right, bottom in (frame.geometry_box, frame.cells_box):
        assert 0 <= left < right <= width and 0 <= top < bottom <= height
    assert frame.cols == 18 and frame.rows == min(height, 518) // 28


def test_a_budget_is_shared_by_the_frames_of_a_clip() -> None:
    grid = TokenGrid(max_clip_tokens=800)
    for num in (1, 4, 32, 200, 800):
        clip = grid.clip([(640, 480)] * num)
        assert clip.num_tokens <= 800
        # The next finer grid would not fit, unless the longest side is at its limit.
        cols = clip.frames[0].cols
        finer = TokenGrid(long_side_cells=cols + 1).clip([(640, 480)] * num)
        assert cols == 18 or finer.num_tokens > 800
    with pytest.raises(ChatError, match="801 frames do not fit into 800 tokens"):
        grid.clip([(640, 480)] * 801)


@pytest.mark.parametrize("preset", ["native", "vgllm"])
def test_unlike_frames_stand_whole_on_one_canvas_and_do_not_leave_it(preset: str) -> None:
    clip = TokenGrid(preset=preset).clip([(640, 480), (480, 640), (1920, 1080), (500, 500)])  # type: ignore[arg-type]
    width, height = clip.canvas_px
    for frame, (row, col, rows, cols) in zip(clip.frames, clip.cells, strict=True):
        assert (rows, cols) == frame.shape
        assert col * 28 + frame.geometry_px[0] <= width and row * 28 + frame.geometry_px[1] <= height
        # In the middle, to a cell.
        assert abs(2 * col * 28 + frame.geometry_px[0] - width) < 2 * 28
        assert abs(2 * row * 28 + frame.geometry_px[1] - height) < 2 * 28


def test_models_with_one_size_for_all_pictures_get_it() -> None:
    grid = TokenGrid(fixed=(16, 16))
    for size in ((640, 480), (480, 640), (3000, 200)):
        frame = grid.frame(*size)
        assert frame.shape == (16, 16) and frame.vlm_px == (448, 448) == frame.geometry_px


@given(SIZES, st.sampled_from(["native", "vgllm"]), st.floats(0, 1), st.floats(0, 1))
def test_intrinsics_follow_the_pixels(size: tuple[int, int], preset: str, x: float, y: float) -> None:
    try:
        frame = TokenGrid(preset=preset).frame(*size)  # type: ignore[arg-type]
    except ChatError:
        return
    width, height = size
    K = np.array([[0.8 * width, 0, 0.45 * width], [0, 0.9 * width, 0.55 * height], [0, 0, 1]])
    source = np.array([x * width, y * height, 1])
    # The same ray, through the pixel to which resizing and cropping bring it.
    moved = np.array(
        [
            source[0] * frame.resized_px[0] / width - frame.geometry_box[0],
            source[1] * frame.resized_px[1] / height - frame.geometry_box[1],
            1,
        ]
    )
    ray, ray_moved = np.linalg.solve(K, source), np.linalg.solve(frame.geometry_K(K), moved)
    np.testing.assert_allclose(ray_moved, ray, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: TokenGrid().clip([]), "at least one frame"),
        (lambda: TokenGrid().frame(1, 5000), "1 x 5000 pixels is longer than 30 times its width"),
        (lambda: TokenGrid(preset="vgllm").frame(1, 5000), "1 x 5000"),
        (lambda: TokenGrid(preset="vgllm").frame(2000, 80), "too flat"),
        (lambda: TokenGrid().frame(0, 10), "nothing to see"),
        (lambda: TokenGrid(long_side_cells=0), "long_side_cells is 0"),
        (lambda: TokenGrid(max_frame_tokens=-1), "max_frame_tokens is -1"),
        (lambda: TokenGrid(preset="vgllm", max_clip_tokens=500).clip([(640, 480)] * 2), "252 tokens.*leaves 250"),
        (lambda: TokenGrid(fixed=(16, 16), max_frame_tokens=200).frame(640, 480), "256 tokens.*leaves 200"),
        (lambda: TokenGrid(preset="large"), "no preset"),  # type: ignore[arg-type]
        (lambda: TokenGrid(preset="vgllm", fixed=(16, 16)), "preset native"),
        (lambda: TokenGrid(preset="vgllm", patch_px=16), "preset native"),
    ],
)
def test_what_cannot_be_is_said(make: object, says: str) -> None:
    with pytest.raises(ChatError, match=says):
        make()  # type: ignore[operator]
