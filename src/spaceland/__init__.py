"""spaceland takes vision-language models from flat images into 3D space.

    import spaceland

    scene = spaceland.open_scene("rooms:7")        # or "scannet:/data/scans/scene0000_00", a folder, ...
    questions = spaceland.ask(scene).questions     # spatial questions with answers from geometry
    spaceland.mark_scene(scene, "out/marked")      # bird's-eye view and frames with the same object numbers

Everything is imported when it is first used: `import spaceland` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from spaceland.version import __version__ as __version__

if TYPE_CHECKING:
    from spaceland.benchmarks import score_benchmark as score_benchmark
    from spaceland.datasets.config import GenerateConfig as GenerateConfig
    from spaceland.datasets.generate import generate as generate
    from spaceland.datasets.rows import to_row as to_row
    from spaceland.prompts import mark_scene as mark_scene
    from spaceland.questions.ask import ask as ask
    from spaceland.questions.marks import draw_marks as draw_marks
    from spaceland.questions.policy import AmbiguityPolicy as AmbiguityPolicy
    from spaceland.scenes.folder_write import write_scene as write_scene
    from spaceland.scenes.scene import Scene as Scene
    from spaceland.scenes.sources import open_scene as open_scene
    from spaceland.scenes.sources import open_source as open_source
    from spaceland.verify import verify_dataset as verify_dataset
    from spaceland.viewer.report import write_report as write_report
    from spaceland.visibility import VisibilityConfig as VisibilityConfig
    from spaceland.visibility import scene_visibility as scene_visibility

_HOME = {
    "AmbiguityPolicy": "spaceland.questions.policy",
    "GenerateConfig": "spaceland.datasets.config",
    "Scene": "spaceland.scenes.scene",
    "VisibilityConfig": "spaceland.visibility",
    "ask": "spaceland.questions.ask",
    "draw_marks": "spaceland.questions.marks",
    "generate": "spaceland.datasets.generate",
    "mark_scene": "spaceland.prompts",
    "open_scene": "spaceland.scenes.sources",
    "open_source": "spaceland.scenes.sources",
    "scene_visibility": "spaceland.visibility",
    "score_benchmark": "spaceland.benchmarks",
    "to_row": "spaceland.datasets.rows",
    "verify_dataset": "spaceland.verify",
    "write_report": "spaceland.viewer.report",
    "write_scene": "spaceland.scenes.folder_write",
}
__all__ = ["__version__", *_HOME]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'spaceland' has no attribute '{name}'")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
