"""Figures that others published, for the leaderboard: as printed, with where they stand.

They were made with other frames, prompts, scorers and training data than one's own run, so a page shows them as
published and never mixes them into a comparison. `metric` says which of a benchmark's figures it is where papers quote
another than our overall one.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """One printed figure, 0 to 100 (CIDEr to 1000). `protocol` is None where the source does not say."""

    benchmark: str
    model: str
    value: float
    source: str
    protocol: str | None = None
    metric: str = "overall"
    note: str = ""


_EASI = "EASI, Benchmark_Verification (0c1a41e)"
_SPAR = "SPAR, README (1cc0475)"
_VG = "VG-LLM, paper, version 3"
_CHAT = "Chat-Scene, README (475e106)"
_G4S = "GPT4Scene, project page and paper"

PUBLISHED = (
    Published("vsibench", "VG-LLM-8B", 50.7, _VG, "official", note="32 frames"),
    Published("vsibench", "VG-LLM-4B", 47.3, _VG, "official", note="32 frames"),
    Published("vsibench", "SPAR-8B", 41.1, "VG-LLM's table of SPAR", None),
    Published("vsibench", "Qwen2.5-VL-7B", 33.5, _EASI, "official", note="128 frames"),
    Published("vsibench", "Qwen2.5-VL-7B", 33.7, _EASI, "vlmevalkit", note="128 frames"),
    Published("vsibench", "Qwen2.5-VL-7B", 38.67, _EASI, "lmms-eval", note="128 frames"),
    Published("sparbench", "human", 67.27, _SPAR, "official", note="tiny"),
    Published("sparbench", "InternVL2.5-8B + SPAR-mix", 63.25, _SPAR, "official"),
    Published("sparbench", "Qwen2.5-VL-72B", 39.40, _SPAR, "official", note="tiny"),
    Published("sparbench", "GPT-4o", 36.39, _SPAR, "official", note="tiny"),
    Published("sparbench", "InternVL2.5-8B", 36.28, _SPAR, "official"),
    Published("sparbench", "Qwen2.5-VL-7B", 33.07, _SPAR, "official"),
    Published("sparbench", "frequency", 32.74, _SPAR, "official", note="baseline; the README calls it random"),
    Published("scanqa", "Video-3D LLM", 102.1, "3DRS, README", "video-3d-llm", "CIDEr"),
    Published("scanqa", "GPT4Scene, Qwen2-VL-7B", 96.3, _G4S, "chat-scene", "CIDEr", "32 frames, 512 px"),
    Published("scanqa", "Chat-Scene", 87.7, _CHAT, "chat-scene", "CIDEr"),
    Published("scanqa", "GPT-4o", 66.0, _G4S, "chat-scene", "CIDEr", "frames without marks, not tuned"),
    Published("sqa3d", "human", 90.06, "SQA3D, paper", None, note="test"),
    Published("sqa3d", "GPT4Scene, Qwen2-VL-7B", 60.6, _G4S, "chat-scene", note="val"),
    Published("sqa3d", "Video-3D LLM", 58.6, "3DRS, README", "video-3d-llm", note="test"),
    Published("sqa3d", "Chat-Scene", 54.6, _CHAT, "chat-scene", note="val"),
    Published("scanrefer", "GPT4Scene, Qwen2-VL-7B", 62.6, _G4S, "gpt4scene", note="Acc@0.25, proposals"),
    Published("scanrefer", "VG-LLM-8B", 57.6, _VG, "vg-llm-refined", note="Acc@0.25, snapped to proposals"),
    Published("scanrefer", "Chat-Scene", 55.5, _CHAT, "chat-scene", note="Acc@0.25, proposals"),
    Published("scanrefer", "M3DRef-CLIP", 51.9, "M3DRef-CLIP, paper", None, note="Acc@0.25"),
    Published("scanrefer", "VG-LLM-8B", 41.6, _VG, "vg-llm", note="Acc@0.25, direct box"),
    Published("scanrefer", "SPAR-8B", 31.9, _VG, "spar", note="Acc@0.25, direct box"),
    Published("multi3drefer", "GPT4Scene, Qwen2-VL-7B", 59.8, _G4S, "gpt4scene", "F1@0.5"),
    Published("multi3drefer", "Chat-Scene", 52.4, _CHAT, "chat-scene", "F1@0.5"),
    Published("multi3drefer", "M3DRef-CLIP", 38.4, "M3DRef-CLIP, paper", None, "F1@0.5"),
    Published("scan2cap", "GPT4Scene, Qwen2-VL-7B", 86.3, "3DGraphLLM, table 2", "chat-scene", "CIDEr@0.5"),
    Published("scan2cap", "VG-LLM-8B", 80.0, _VG, "vg-llm", "CIDEr@0.5"),
    Published("scan2cap", "VG-LLM-4B", 78.6, _VG, "vg-llm", "CIDEr@0.5"),
    Published("scan2cap", "Chat-Scene", 77.1, _CHAT, "chat-scene", "CIDEr@0.5"),
    Published("embodiedscan-det", "VG-LLM-8B", 41.2, _VG, "vg-llm", "F1@0.25, 20 classes", "4 frames"),
    Published("embodiedscan-det", "VG-LLM-4B", 38.2, _VG, "vg-llm", "F1@0.25, 20 classes", "4 frames"),
    Published("embodiedscan-det", "Qwen2.5-VL-7B, tuned", 32.5, _VG, "vg-llm", "F1@0.25, 20 classes", "4 frames"),
)


def published_for(benchmark: str) -> list[Published]:
    """Figures for a benchmark, the highest first."""
    return sorted((one for one in PUBLISHED if one.benchmark == benchmark), key=lambda one: -one.value)
