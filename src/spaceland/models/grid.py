"""Sizes of frames, decided once, so that geometry patches and visual tokens cover the same pixels.

A visual token of a model covers `token_px` x `token_px` pixels of its picture (28 for Qwen2.5-VL, 32 for Qwen3-VL); a
geometry token is merged from 2 x 2 patches of 14 pixels. A frame becomes rows x cols cells; the model sees rows *
token_px by cols * token_px pixels of it, the encoder rows * 28 by cols * 28 pixels of the same view. Cell i of one is
cell i of the other.

| preset | sizes |
|---|---|
| `native` | longer side `long_side_cells`, the other as near to the aspect as whole cells allow; nothing is cut off |
| `vgllm` | width 518, height to the next 14, centre 518 x 518 of what is higher: VG LLM's rule |

Under `vgllm` the encoder sees up to one row and column of patches more than the cells use, as in the released models.

>>> [TokenGrid(preset=p).frame(1280, 720).shape for p in ("native", "vgllm")]
[(10, 18), (10, 18)]
>>> [TokenGrid(preset=p).frame(480, 640).shape for p in ("native", "vgllm")]
[(18, 14), (18, 18)]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from spaceland.errors import ChatError

MERGE = 2
"""A geometry token is merged from so many patches in each direction."""
MAX_ASPECT = 30.0
_VGLLM_SIDE_PX = 518
Preset = Literal["native", "vgllm"]


@dataclass(frozen=True, kw_only=True)
class FrameGrid:
    """Sizes of one frame: cells, and the pixels of both branches. Boxes are (left, top, right, bottom)."""

    source_px: tuple[int, int]
    """Width and height of the frame as it came."""
    rows: int
    cols: int
    resized_px: tuple[int, int]
    """The whole frame is brought to this width and height for the encoder."""
    geometry_box: tuple[int, int, int, int]
    """Part of the resized frame that the encoder sees."""
    cells_box: tuple[int, int, int, int]
    """Part of the resized frame that the cells cover, and that the model sees."""
    vlm_px: tuple[int, int]
    """Width and height of the model's picture."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.rows, self.cols

    @property
    def num_tokens(self) -> int:
        """Visual tokens of the frame."""
        return self.rows * self.cols

    @property
    def geometry_px(self) -> tuple[int, int]:
        """Width and height of what the encoder sees."""
        left, top, right, bottom = self.geometry_box
        return right - left, bottom - top

    def geometry_K(self, K: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "3 3"]:
        """Intrinsics of the frame as it came, turned into those of what the encoder sees (pixel centres at +0.5)."""
        scale = np.array(self.resized_px, float) / self.source_px
        out = np.array(K, float)
        out[0] *= scale[0]
        out[1] *= scale[1]
        out[:2, 2] -= self.geometry_box[:2]
        return out


@dataclass(frozen=True, kw_only=True)
class ClipGrid:
    """Sizes of all frames of a clip, and where each stands on the encoder's canvas.

    The encoder takes one size for all frames. Where they differ, each keeps its scale and stands in the middle, to a
    whole cell, of a white canvas that holds the largest, as VGGT pads.
    """

    frames: tuple[FrameGrid, ...]
    canvas_px: tuple[int, int]
    cells: tuple[tuple[int, int, int, int], ...]
    """Per frame: first row, first column, rows, columns on the canvas, in cells."""

    @property
    def num_tokens(self) -> int:
        """Visual tokens of all frames."""
        return sum(frame.num_tokens for frame in self.frames)


@dataclass(frozen=True, kw_only=True)
class TokenGrid:
    """The rule that decides sizes. It depends on the model's tokens and the encoder's patches, and on nothing else."""

    token_px: int = 28
    """Side of a visual token in the model's pixels."""
    patch_px: int = 14
    """Side of the encoder's patch."""
    preset: Preset = "native"
    long_side_cells: int = 18
    """`native`: most cells along the longer side; 18 are 504 pixels for the encoder, near what VGGT was trained on."""
    max_frame_tokens: int | None = None
    """`native`: most tokens of a frame; the frame is shrunk until it fits."""
    max_clip_tokens: int | None = None
    """`native`: most tokens of all frames of a clip together, shared out evenly."""
    fixed: tuple[int, int] | None = None
    """Rows and columns of every picture, for models that stretch all to one size (InternVL)."""

    def __post_init__(self) -> None:
        """Check the numbers; a list, as JSON has it, becomes a tuple."""
        if self.fixed is not None:
            object.__setattr__(self, "fixed", (int(self.fixed[0]), int(self.fixed[1])))
        for name in ("token_px", "patch_px", "long_side_cells", "max_frame_tokens", "max_clip_tokens"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ChatError(f"{name} is {value}; it must be at least 1")
        if self.preset not in ("native", "vgllm"):
            raise ChatError(f"'{self.preset}' is no preset of sizes: choose native or vgllm")
        if self.preset == "vgllm" and (self.fixed or self.patch_px != 14):
            raise ChatError(
                "preset vgllm is made of 14-pixel patches and of pictures of any shape; this model or encoder needs "
                "preset native"
            )

    def clip(self, sizes: Sequence[tuple[int, int]]) -> ClipGrid:
        """Sizes of a clip.

        Args:
            sizes: Width and height of each frame in pixels.

        Raises:
            ChatError: no frames, a frame without pixels or far too narrow, a budget below one token per frame.
        """
        if not sizes:
            raise ChatError("a clip needs at least one frame")
        budget = self.max_frame_tokens
        if self.max_clip_tokens is not None:
            share = self.max_clip_tokens // len(sizes)
            if share < 1:
                raise ChatError(
                    f"{len(sizes)} frames do not fit into {self.max_clip_tokens} tokens; give fewer frames or raise "
                    "max_clip_tokens"
                )
            budget = share if budget is None else min(budget, share)
        frames = tuple(self.frame(width, height, budget) for width, height in sizes)
        canvas = (max(f.geometry_px[0] for f in frames), max(f.geometry_px[1] for f in frames))
        cell = MERGE * self.patch_px
        cells = tuple(
            ((canvas[1] - f.geometry_px[1]) // 2 // cell, (canvas[0] - f.geometry_px[0]) // 2 // cell, f.rows, f.cols)
            for f in frames
        )
        return ClipGrid(frames=frames, canvas_px=canvas, cells=cells)

    def frame(self, width: int, height: int, max_tokens: int | None = None) -> FrameGrid:
        """Sizes of one frame of `width` x `height` pixels; `max_tokens` None: as `max_frame_tokens` says.

        Raises:
            ChatError: see `clip`.
        """
        if width < 1 or height < 1:
            raise ChatError(f"a frame of {width} x {height} pixels has nothing to see")
        if max(width / height, height / width) > MAX_ASPECT:
            raise ChatError(
                f"a frame of {width} x {height} pixels is longer than {MAX_ASPECT:g} times its width; cut it into "
                "pieces, or leave it out"
            )
        budget = self.max_frame_tokens if max_tokens is None else max_tokens
        if self.preset == "vgllm":
            frame = self._vgllm(width, height)
            self._check_budget(frame.num_tokens, budget)
            return frame
        rows, cols = self.fixed or self._native(width, height, budget)
        self._check_budget(rows * cols, budget)
        cell = MERGE * self.patch_px
        size = (cols * cell, rows * cell)
        return FrameGrid(
            source_px=(width, height),
            rows=rows,
            cols=cols,
            resized_px=size,
            geometry_box=(0, 0, *size),
            cells_box=(0, 0, *size),
            vlm_px=(cols * self.token_px, rows * self.token_px),
        )

    def _check_budget(self, num_tokens: int, budget: int | None) -> None:
        """Sizes that are not ours to choose may be too large."""
        if budget is not None and num_tokens > budget:
            why = "preset vgllm" if self.preset == "vgllm" else "this model"
            raise ChatError(
                f"{why} takes {num_tokens} tokens for a frame, the budget leaves {budget}; give fewer frames, or raise "
                "max_frame_tokens or max_clip_tokens"
            )

    def _native(self, width: int, height: int, budget: int | None) -> tuple[int, int]:
        """Rows and columns: the finest grid within the budget."""
        for long in range(self.long_side_cells, 0, -1):
            short = max(1, round(long * min(width, height) / max(width, height)))
            if budget is None or long * short <= budget:
                return (short, long) if width >= height else (long, short)
        raise ChatError(f"a budget of {budget} tokens leaves no token for a frame")

    def _vgllm(self, width: int, height: int) -> FrameGrid:
        side, patch = _VGLLM_SIDE_PX, self.patch_px
        resized = (side, round(height * (side / width) / patch) * patch)
        top = max(0, (resized[1] - side) // 2)
        seen = (side, min(side, resized[1]))
        rows, cols = seen[1] // (MERGE * patch), seen[0] // (MERGE * patch)
        if rows < 1:
            raise ChatError(
                f"a frame of {width} x {height} pixels is too flat for the sizes of VG LLM: less than one row of tokens"
            )
        return FrameGrid(
            source_px=(width, height),
            rows=rows,
            cols=cols,
            resized_px=resized,
            geometry_box=(0, top, side, top + seen[1]),
            cells_box=(0, top, cols * MERGE * patch, top + rows * MERGE * patch),
            vlm_px=(cols * self.token_px, rows * self.token_px),
        )
