"""From any source to a scene with objects, stage by stage: plain videos, posed recordings and annotated datasets."""
