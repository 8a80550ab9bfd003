"""The entry point of the group `lmms_eval.models`: lmms-eval finds our models by it."""

from __future__ import annotations

from typing import Any


def manifests() -> list[Any]:
    """`spaceland` answers with any model that `spaceland evaluate` takes, `spaceland_replay` with given predictions."""
    from lmms_eval.models.registry_v2 import ModelManifest

    return [
        ModelManifest(model_id="spaceland", chat_class_path="spaceland.lmmseval.model.SpacelandChat"),
        ModelManifest(model_id="spaceland_replay", chat_class_path="spaceland.lmmseval.model.SpacelandReplay"),
    ]
