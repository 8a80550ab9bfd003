"""What the verbs that open a capture share: the settings of its stages, and how the stages are shown."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from spaceland.pipeline.config import PipelineConfig

if TYPE_CHECKING:
    from spaceland.pipeline.run import Prepared

Stages = Annotated[PipelineConfig, tyro.conf.arg(name="")]
"""As a parameter: every setting becomes an option of the verb, without a prefix."""
DEFAULT = PipelineConfig()


def prepare_source(source: str, scene: str | None, work: Path, stages: PipelineConfig) -> Prepared:
    """The scene of a source with its objects; stages that are needed for it keep their results in `work`."""
    from spaceland.pipeline.run import prepare
    from spaceland.progress import progress_bar

    return prepare(source, work, stages, scene_id=scene, bars=progress_bar, say=print)
