"""What info.json says of a dataset: its scenes, and the settings that its rows were made with.

A mixture names its parts; a row of a part has an id that begins with the part's name and a slash, and holds by the
settings of that part. Names may have slashes themselves: a mixture of mixtures has parts such as "old/rooms".

    {"config": {...}}                                                       one dataset
    {"parts": {"rooms": {"config": {...}}, "old/rooms": {"config": {...}}}}     a mixture

Worked example. With the parts above, "old/rooms/room0001-obj_count-fill-90c2d3f1aa" is a row of "old/rooms", and
"room0001-obj_count-fill-90c2d3f1aa" is one of no part.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spaceland.files import read_json

Config = Mapping[str, Any]


@dataclass(frozen=True)
class DatasetInfo:
    """info.json with checked types. `configs` has the settings of each part, of rows without a part under ""."""

    rows: Any
    scenes: Mapping[str, Any]
    configs: Mapping[str, Config | None]

    def part_of(self, row_id: str) -> str:
        """The part that a row belongs to by its id; "" for none."""
        return max((part for part in self.configs if part and row_id.startswith(f"{part}/")), key=len, default="")


def read_info(path: Path) -> DatasetInfo:
    """info.json, as far as it is there and has the types expected.

    Raises:
        SceneError: the file is no JSON.
    """
    info = _object(read_json(path)) if path.exists() else {}
    parts = {name: _config(_object(entry)) for name, entry in _object(info.get("parts")).items() if name}
    return DatasetInfo(info.get("rows"), _object(info.get("scenes")), {"": _config(info), **parts})


def _config(entry: Mapping[str, Any]) -> Config | None:
    config = entry.get("config")
    return config if isinstance(config, dict) else None


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
