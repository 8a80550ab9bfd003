"""How many floating-point operations a geometry model needs, by formula, and what machines can do.

A matrix product of [n, a] and [a, b] counts 2 n a b; norms, activations and softmax count nothing.

    linear layers   2 * weights * tokens
    attention       4 * queries * keys * width for every layer; half of it where it is causal
    training        linear layers: once more for the gradient of what came in, once more for that of the weights where
                    they are trained; attention: twice more; frozen encoders: nothing more. What gradient checkpointing
                    computes again is not counted: it is the price of memory, not work that was asked for.

`counted` is torch's own count of what is really multiplied, for comparison.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

# Dense bfloat16 operations and bytes of memory per second, as the maker's data sheets say; the first name that fits.
PEAKS = (
    ("H200", 989e12, 4.8e12),
    ("H100 PCIe", 756e12, 2.0e12),
    ("H100 NVL", 835e12, 3.9e12),
    ("H100", 989e12, 3.35e12),
    ("A100", 312e12, 2.0e12),
)


def peak_of(name: str) -> tuple[float, float] | None:
    """Operations and bytes per second of a GPU; None where it is not in the table."""
    return next(((flop, memory) for known, flop, memory in PEAKS if known in name), None)


@dataclass(frozen=True)
class Work:
    """Operations of a part of the model."""

    linear: float
    attention: float = 0.0

    @property
    def total(self) -> float:
        """All."""
        return self.linear + self.attention

    def backward(self, *, trained: bool) -> float:
        """What the backward pass adds."""
        return self.linear * (2 if trained else 1) + 2 * self.attention


def linear(module: nn.Module, tokens: float) -> float:
    """Of all linear layers and patch embeddings in a module."""
    kinds = (nn.Linear, nn.Conv2d, nn.Conv3d)
    return 2 * tokens * sum(m.weight.numel() for m in module.modules() if isinstance(m, kinds))


def encoder_work(encoder: Any, frames: Tensor) -> Work:
    """VGGT up to the layer that is built, on [s, 3, h, w]."""
    config, num = encoder.config, len(frames)
    patches = (frames.shape[2] // config.patch_size) * (frames.shape[3] // config.patch_size)
    in_vit = patches + 1 + config.vit_num_registers
    in_trunk = patches + encoder.trunk.config.num_special
    width = 4 * config.embed_dim
    return Work(
        linear(encoder.vit.model.encoder, num * in_vit)
        + linear(encoder.vit.model.embeddings, num * patches)
        + linear(encoder.trunk, num * in_trunk),
        width * config.vit_depth * num * in_vit**2
        + width * encoder.num_built * (num * in_trunk**2 + (num * in_trunk) ** 2),
    )


def tower_work(visual: Any, cells: Tensor) -> Work:
    """Qwen2.5-VL's image encoder on pictures of [s, 4] cells (row, column, rows, columns)."""
    config = visual.config
    shapes = [(2 * rows, 2 * cols) for _, _, rows, cols in cells.tolist()]
    tokens = sum(rows * cols for rows, cols in shapes)
    side = config.window_size // config.patch_size
    whole = len(config.fullatt_block_indexes)
    everything = sum((rows * cols) ** 2 for rows, cols in shapes)
    in_windows = sum(_squares(rows, side) * _squares(cols, side) for rows, cols in shapes)
    return Work(
        linear(visual.patch_embed, tokens) + linear(visual.blocks, tokens) + linear(visual.merger, tokens / 4),
        4 * config.hidden_size * (whole * everything + (config.depth - whole) * in_windows),
    )


def num_windows(visual: Any, cells: Tensor) -> int:
    """Windows of one layer: transformers calls attention once for each."""
    side = visual.config.window_size // visual.config.patch_size
    return sum(-(-2 * rows // side) * -(-2 * cols // side) for _, _, rows, cols in cells.tolist())


def adapter_work(adapter: Any, cells: Tensor) -> Work:
    """Mergers on the cells of a clip."""
    return Work(linear(adapter.mergers, float((cells[:, 2] * cells[:, 3]).sum())))


def language_work(model: Any, tokens: int, num_logits: int) -> Work:
    """Prefill of one chat; its own weights alone, without low-rank updates."""
    text = model.config.text_config
    width = text.num_attention_heads * (getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads)
    return Work(
        linear(model.model.language_model, tokens) + linear(model.lm_head, num_logits),
        2 * tokens**2 * width * text.num_hidden_layers,
    )


def counted(run: Callable[[], Any]) -> int:
    """Operations of matrix products as torch sees them; attention is spelt out for it, so keep it small."""
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        run()
    return counter.get_total_flops()


def _squares(length: int, side: int) -> int:
    """Sum of the squares of the pieces that a length is cut into."""
    return (length // side) * side**2 + (length % side) ** 2
