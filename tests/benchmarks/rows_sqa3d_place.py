"""Rows of SQA3D, with places as gold replies."""

from __future__ import annotations

import json
from typing import Any

from rows_sqa3d import make_rows as make_rows

CHANCE = (0.0, 20.0)


def gold(row: dict[str, Any]) -> str:
    position, rotation = row["position"], row["rotation"]
    return json.dumps(
        [{"position": [position[key] for key in "xyz"], "rotation": [rotation[f"_{key}"] for key in "xyzw"]}]
    )
