"""Tiny models with random weights of the real architectures, written as `save_pretrained` writes the real ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers as hf
from safetensors.torch import load_file, save_file


def bert_tokenizer(folder: Path) -> None:
    """A BERT tokenizer whose special tokens have the ids that Grounding DINO relies on ([CLS] 101, "." 1012, ...)."""
    words = {101: "[CLS]", 102: "[SEP]", 0: "[PAD]", 100: "[UNK]", 103: "[MASK]", 1012: ".", 1029: "?"}
    extra = ["chair", "table", "coffee", "cup", "##s", "desk", "red"]
    names = [words.get(k, f"[unused{k}]") for k in range(1030)] + extra
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(names) + "\n")
    hf.BertTokenizer(vocab={name: k for k, name in enumerate(names)}).save_pretrained(folder)


def grounding_dino(folder: Path, kind: str = "grounding-dino", max_text_len: int = 32) -> Path:
    """A Grounding DINO (or MM Grounding DINO) of some thousand weights, with tokenizer."""
    torch.manual_seed(0)
    text = hf.BertConfig(
        vocab_size=1037, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
    )
    backbone = hf.SwinConfig(
        image_size=64, patch_size=4, embed_dim=8, depths=[1, 1, 1], num_heads=[1, 1, 2], window_size=4,
        out_features=["stage2", "stage3"],
    )  # fmt: skip
    names = {
        "grounding-dino": (hf.GroundingDinoConfig, hf.GroundingDinoForObjectDetection),
        "mm-grounding-dino": (hf.MMGroundingDinoConfig, hf.MMGroundingDinoForObjectDetection),
    }
    config_cls, model_cls = names[kind]
    config = config_cls(
        backbone_config=backbone, text_config=text, d_model=32, encoder_layers=1, decoder_layers=2,
        encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=16, decoder_ffn_dim=16, num_queries=12,
        num_feature_levels=2, encoder_n_points=2, decoder_n_points=2, max_text_len=max_text_len,
        disable_custom_kernels=True,
    )  # fmt: skip
    model = model_cls(config)
    spread(model, 0.7)
    model.save_pretrained(folder)
    bert_tokenizer(folder)
    settings = {"size": {"shortest_edge": 64, "longest_edge": 96}}
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    return folder


def spread(model: torch.nn.Module, gain: float) -> None:
    """Make all weights large enough that answers differ from box to box and from picture to picture."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.is_floating_point() and parameter.dim() > 1:
                size = gain / parameter[0].numel() ** 0.5
                parameter.copy_(size * torch.randn(parameter.shape, generator=generator))


def always_visible(model: Any) -> None:
    """Random weights would say of most things that they are hidden."""
    with torch.no_grad():
        model.mask_decoder.pred_obj_score_head.proj_out.bias.fill_(1000.0)


SIDE, HIDDEN = 64, 128  # the memory has 64 channels in any SAM 2, and the rest must have more


def _hiera() -> dict[str, Any]:
    backbone = hf.Sam2HieraDetConfig(
        hidden_size=8, num_attention_heads=1, image_size=[SIDE, SIDE], blocks_per_stage=[1, 1, 2, 1],
        embed_dim_per_stage=[8, 16, 32, 64], num_attention_heads_per_stage=[1, 1, 2, 2],
        window_size_per_stage=[8, 4, 4, 4], global_attention_blocks=[3],
        window_positional_embedding_background_size=[2, 2],
    )  # fmt: skip
    return {
        "backbone_config": backbone, "backbone_channel_list": [64, 32, 16, 8], "fpn_hidden_size": HIDDEN,
        "backbone_feature_sizes": [[SIDE // 4, SIDE // 4], [SIDE // 8, SIDE // 8], [SIDE // 16, SIDE // 16]],
    }  # fmt: skip


def sam2(folder: Path) -> Path:
    """An image model of SAM 2."""
    torch.manual_seed(0)
    config = hf.Sam2Config(
        vision_config=hf.Sam2VisionConfig(**_hiera()),
        prompt_encoder_config={"hidden_size": HIDDEN, "image_size": SIDE, "patch_size": 16, "mask_input_channels": 4},
        mask_decoder_config={"hidden_size": HIDDEN, "mlp_dim": 32, "num_attention_heads": 2, "iou_head_hidden_dim": 16},
    )
    model = hf.Sam2Model(config)
    spread(model, 1.5)
    model.save_pretrained(folder)
    return folder


def sam2_video(folder: Path) -> Path:
    """A video model of SAM 2."""
    torch.manual_seed(0)
    config = hf.Sam2VideoConfig(
        vision_config=hf.Sam2VisionConfig(**_hiera()),
        prompt_encoder_config={"hidden_size": HIDDEN, "image_size": SIDE, "patch_size": 16, "mask_input_channels": 4},
        mask_decoder_config={"hidden_size": HIDDEN, "mlp_dim": 32, "num_attention_heads": 2, "iou_head_hidden_dim": 16},
        image_size=SIDE, memory_attention_hidden_size=HIDDEN, memory_attention_num_layers=1,
        memory_attention_feed_forward_hidden_size=32, memory_attention_rope_feat_sizes=[SIDE // 16, SIDE // 16],
        memory_encoder_hidden_size=HIDDEN, memory_encoder_output_channels=64, mask_downsampler_embed_dim=HIDDEN,
        memory_fuser_num_layers=1, memory_fuser_embed_dim=HIDDEN, memory_fuser_intermediate_dim=32,
    )  # fmt: skip
    model = hf.Sam2VideoModel(config)
    spread(model, 1.5)
    always_visible(model)
    model.save_pretrained(folder)
    return folder


def random_picture(seed: int, height: int = 48, width: int = 64) -> np.ndarray:
    """Coloured blocks, uint8 [height, width, 3]."""
    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, 256, (-(-height // 8), -(-width // 8), 3), dtype=np.uint8)
    return np.repeat(np.repeat(blocks, 8, 0), 8, 1)[:height, :width]


def clip_tokenizer(folder: Path) -> None:
    """A CLIP tokenizer of single letters."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    names = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    hf.CLIPTokenizer(vocab={name: k for k, name in enumerate(names)}, merges=[]).save_pretrained(folder)


def sam3_video(folder: Path) -> Path:
    """A whole SAM 3 as it is published: detector and tracker in one folder, with tokenizer."""
    torch.manual_seed(0)
    patch, heads = 8, 2
    vit = hf.Sam3ViTConfig(
        hidden_size=32, intermediate_size=32, num_hidden_layers=2, num_attention_heads=heads, image_size=SIDE,
        patch_size=patch, window_size=4, global_attn_indexes=[1], pretrain_image_size=SIDE,
    )  # fmt: skip
    cells = SIDE // patch
    sizes = [[4 * cells, 4 * cells], [2 * cells, 2 * cells], [cells, cells]]
    vision = {"backbone_config": vit.to_dict(), "fpn_hidden_size": HIDDEN, "backbone_feature_sizes": sizes}
    small = {"hidden_size": HIDDEN, "num_attention_heads": heads, "intermediate_size": 32}
    detector = hf.Sam3Config(
        vision_config=vision,
        text_config={
            "vocab_size": 54, "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1,
            "num_attention_heads": 2, "max_position_embeddings": 16, "projection_dim": 16, "bos_token_id": 52,
            "eos_token_id": 53,
        },
        geometry_encoder_config={**small, "num_layers": 1},
        detr_encoder_config={**small, "num_layers": 1},
        detr_decoder_config={**small, "num_layers": 1, "num_queries": 6},
        mask_decoder_config={"hidden_size": HIDDEN, "num_attention_heads": heads},
    )  # fmt: skip
    tracker = hf.Sam3TrackerVideoConfig(
        vision_config=vision,
        prompt_encoder_config={
            "hidden_size": HIDDEN, "image_size": SIDE, "patch_size": patch, "mask_input_channels": 4
        },
        mask_decoder_config={"hidden_size": HIDDEN, "mlp_dim": 32, "num_attention_heads": 2, "iou_head_hidden_dim": 16},
        image_size=SIDE, memory_attention_hidden_size=HIDDEN, memory_attention_num_layers=1,
        memory_attention_feed_forward_hidden_size=32, memory_encoder_hidden_size=HIDDEN,
        memory_encoder_output_channels=64, mask_downsampler_embed_dim=HIDDEN, memory_fuser_num_layers=1,
        memory_fuser_embed_dim=HIDDEN, memory_fuser_intermediate_dim=32,
    )  # fmt: skip
    config = hf.Sam3VideoConfig(detector_config=detector.to_dict(), tracker_config=tracker.to_dict())
    model = hf.Sam3VideoModel(config)
    spread(model, 1.0)
    always_visible(model.tracker_model)
    model.save_pretrained(folder)
    # transformers 5.23 writes the tracker's prefix twice; the published file has it once.
    path = folder / "model.safetensors"
    weights = {k.replace("tracker_model.tracker_model.", "tracker_model."): v for k, v in load_file(path).items()}
    save_file(weights, path, {"format": "pt"})
    clip_tokenizer(folder)
    return folder
