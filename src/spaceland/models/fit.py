"""Whether the parts of a `GeometryVLM` fit together, asked before they are put together."""

from __future__ import annotations

from typing import Any

from spaceland.errors import EncoderError
from spaceland.models.adapter import GeometryAdapter
from spaceland.models.families import Family
from spaceland.models.processor import GeometryProcessor
from spaceland.models.types import GeometryEncoder


def check_fit(
    vlm: Any, family: Family, adapter: GeometryAdapter, processor: GeometryProcessor, encoder: GeometryEncoder | None
) -> None:
    """Make sure that a new adapter goes with the other parts.

    Raises:
        EncoderError: what does not fit, and what to do.
    """
    if adapter.config.fusion == "deepstack":
        most = int(vlm.config.text_config.num_hidden_layers)
        if not family.deepstack:
            raise EncoderError(
                f"a model of type '{family.model_type}' takes no features behind its first layer; use fusion add, "
                "gated or cross_attention, or a model with deepstack such as Qwen3-VL"
            )
        if len(adapter.layers) > most:
            raise EncoderError(f"{len(adapter.layers)} layers of geometry for a language model of {most}; give fewer")
    if encoder is not None and not processor.geometry:
        raise EncoderError("the processor makes no frames for the encoder; make it with geometry=True")
    if encoder is not None and encoder.spec.patch != processor.grid.patch_px:
        raise EncoderError(
            f"{encoder.spec.name} has patches of {encoder.spec.patch} pixels, the grid is for "
            f"{processor.grid.patch_px}: give patch_px={encoder.spec.patch} to token_grid"
        )
    if adapter.config.rays and not processor.rays:
        raise EncoderError("the adapter takes rays but the processor makes none; make it with rays=True")
