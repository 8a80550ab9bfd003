"""What has to be known of a vision-language model to give it fused tokens: read from its configuration.

Two kinds of models take `mm_encoder_outputs` and say where their tokens are:

* grids: a picture of any shape becomes patches, merged n x n (`patch_size`, `spatial_merge_size`): Qwen2-VL,
  Qwen2.5-VL, Qwen3-VL, Qwen3.5, GLM-4V. Their features are one tensor per picture.
* fixed: every picture is stretched to one square (`image_size`, `patch_size`, `downsample_ratio`): InternVL. Their
  features are one tensor for all.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

from spaceland.errors import ChatError
from spaceland.models.grid import Preset, TokenGrid


@dataclass(frozen=True, kw_only=True)
class Family:
    """How a model counts picture tokens."""

    model_type: str
    token_px: int
    """Side of a token in pixels."""
    fixed: tuple[int, int] | None
    """Rows and columns of every picture; None: as large as the picture."""
    hidden: int
    """Channels of a token."""
    deepstack: int
    """How many early layers of the language model get visual features of their own; they can be given more."""
    context: int | None
    """Most tokens of a sequence; None: not stated."""

    def token_grid(
        self,
        *,
        patch_px: int = 14,
        preset: Preset = "native",
        long_side_cells: int = 18,
        max_frame_tokens: int | None = None,
        max_clip_tokens: int | None = None,
    ) -> TokenGrid:
        """Sizes for this model beside an encoder with such patches; see `TokenGrid`."""
        return TokenGrid(
            token_px=self.token_px,
            patch_px=patch_px,
            preset=preset,
            long_side_cells=long_side_cells,
            max_frame_tokens=max_frame_tokens,
            max_clip_tokens=max_clip_tokens,
            fixed=self.fixed,
        )


def family_of(config: Any) -> Family:
    """Read a model's configuration (of transformers).

    Raises:
        ChatError: it has no vision part, or one whose tokens are not known to lie on a grid.
    """
    kind = getattr(config, "model_type", "?")
    vision, text = getattr(config, "vision_config", None), getattr(config, "text_config", None)
    if vision is None or text is None:
        raise ChatError(f"a model of type '{kind}' has no part that sees pictures; give a vision-language model")
    patch = _side(getattr(vision, "patch_size", None))
    merge, ratio = getattr(vision, "spatial_merge_size", None), getattr(config, "downsample_ratio", None)
    if patch and merge:
        token_px, fixed = patch * int(merge), None
    elif patch and ratio and getattr(vision, "image_size", None):
        num = round(_side(vision.image_size) // patch * float(ratio))
        token_px, fixed = _side(vision.image_size) // num, (num, num)
    else:
        raise ChatError(
            f"it is not known how a model of type '{kind}' lays tokens over a picture; models like Qwen-VL "
            "(spatial_merge_size) and InternVL (downsample_ratio) can be used"
        )
    levels = getattr(vision, "deepstack_visual_indexes", None)
    return Family(
        model_type=kind,
        token_px=token_px,
        fixed=fixed,
        hidden=int(text.hidden_size),
        deepstack=len(levels) if levels is not None else 0,
        context=getattr(text, "max_position_embeddings", None),
    )


def check_takes_features(model: Any) -> None:
    """Make sure that fused features can be given to a model.

    Raises:
        ChatError: it does not take `mm_encoder_outputs`, or shows no image features.
    """
    takes = "mm_encoder_outputs" in inspect.signature(model.forward).parameters
    if not takes or not hasattr(getattr(model, "model", None), "get_image_features"):
        raise ChatError(
            f"{type(model).__name__} takes no encoded pictures (mm_encoder_outputs); use a vision-language model of "
            "transformers 5.23 or newer, such as Qwen3-VL"
        )


def _side(value: Any) -> int:
    """A side that some configurations write as a pair."""
    return int(value[0] if isinstance(value, list | tuple) else value or 0)
