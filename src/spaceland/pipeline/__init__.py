"""From any source to a scene with objects, stage by stage: plain videos, posed recordings and annotated datasets."""

from spaceland.pipeline.config import PipelineConfig
from spaceland.pipeline.run import Prepared, prepare

__all__ = ["PipelineConfig", "Prepared", "prepare"]
