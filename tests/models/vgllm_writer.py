"""Checkpoints with small random weights in the layout of the released VG-LLM ones, of both generations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors.torch import save_file
from tiny_models import tiny_vlm

from spaceland.models.encoders.loading import released_tensors
from spaceland.models.encoders.vggt import Vggt, VggtConfig
from spaceland.models.encoders.vggt_keys import vggt_source

Generation = Literal["v1", "v2"]
VGGT = VggtConfig(
    embed_dim=16, depth=3, num_heads=1, vit_depth=2, vit_num_heads=2, camera_depth=1, camera_num_heads=2,
    dpt_layers=(0, 1, 1, 2), dpt_features=8, dpt_widths=(4, 4, 8, 8), mlp_ratio=2,
)  # fmt: skip
INNER = 20
"""Width inside the merger."""


def merger_tensors(hidden: int = 32) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(11)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator) / shape[-1] ** 0.5

    dim = 2 * VGGT.embed_dim
    return {
        "ln_q.weight": 1 + 0.1 * draw(dim), "mlp.0.weight": draw(INNER, 4 * dim), "mlp.0.bias": draw(INNER),
        "mlp.2.weight": draw(hidden, INNER), "mlp.2.bias": draw(hidden),
    }  # fmt: skip


def tiny_vggt() -> Vggt:
    torch.manual_seed(7)
    return Vggt(VGGT).eval().requires_grad_(False)


def flat_config(config: Any, generation: Generation) -> dict[str, Any]:
    """As transformers 4.50 wrote it: text settings beside the rest, and the fields of VG LLM."""
    text, vision = config.text_config, config.vision_config.to_dict()
    flat = {k: getattr(text, k) for k in (
        "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
        "num_key_value_heads", "max_position_embeddings", "rms_norm_eps", "hidden_act", "bos_token_id", "eos_token_id",
        "pad_token_id",
    )}  # fmt: skip
    own: dict[str, Any] = (
        {"use_vggt_feature": True, "vggt_merger_hidden_dim": INNER, "use_dense_supervision": False}
        if generation == "v1"
        else {
            "use_geometry_encoder": True, "geometry_encoder_type": "vggt", "geometry_encoder_freeze": True,
            "geometry_merger_type": "mlp", "geometry_merger_hidden_dim": INNER, "feature_fusion_method": "add",
        }
    )  # fmt: skip
    return {
        **flat,
        "model_type": "qwen2_5_vl",
        "architectures": ["Qwen2_5_VLForConditionalGenerationWithVGGT"],
        "tie_word_embeddings": True,
        "rope_theta": 10000.0,
        "rope_scaling": {"type": "mrope", "mrope_section": [2, 3, 3]},
        "vision_config": {k: vision[k] for k in (
            "depth", "hidden_size", "intermediate_size", "num_heads", "out_hidden_size", "patch_size", "window_size",
            "fullatt_block_indexes", "spatial_merge_size", "temporal_patch_size",
        )},
        **{k: getattr(config, k) for k in (
            "image_token_id", "video_token_id", "vision_start_token_id", "vision_end_token_id",
        )},
        "reference_frame": "first",
        "torch_dtype": "float32",
        "transformers_version": "4.50.0",
        **own,
    }  # fmt: skip


def write_vgllm(folder: Path, generation: Generation, **config: Any) -> Any:
    """Write one; the Hugging Face model whose weights it holds is returned."""
    vlm, own = tiny_vlm("qwen2_5_vl", tie_word_embeddings=True)
    vlm.lm_head.weight = vlm.model.language_model.embed_tokens.weight
    tensors = {}
    for name, value in vlm.state_dict().items():
        old = name.replace("model.visual.", "visual.").replace("model.language_model.", "model.")
        if old != "lm_head.weight":
            tensors[old] = value.clone()
    encoder, merger = ("vggt.", "merger.") if generation == "v1" else ("geometry_encoder.vggt.", "geometry_merger.")
    for name, value in released_tensors(tiny_vggt(), vggt_source).items():
        # The first generation kept the dense heads, the second the aggregator alone.
        if name.startswith("aggregator.") or (generation == "v1" and name.startswith(("depth_head.", "point_head."))):
            tensors[encoder + name] = value
    tensors |= {merger + name: value for name, value in merger_tensors().items()}
    folder.mkdir(parents=True, exist_ok=True)
    save_file({k: v.contiguous() for k, v in tensors.items()}, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps({**flat_config(vlm.config, generation), **config}))
    own.tokenizer.save_pretrained(folder)
    own.image_processor.save_pretrained(folder)
    return vlm
