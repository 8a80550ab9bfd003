"""Configurations from TOML files and our presets.

A file may begin with `extends = "vgllm-4b"` and then holds only what is different; lists are replaced as a whole.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from spaceland.errors import TrainingError
from spaceland.training.config import TrainConfig, check_config
from spaceland.training.tables import from_table


def preset_names() -> list[str]:
    """Names of our own configurations."""
    folder = resources.files("spaceland.training") / "presets"
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def read_config(preset_or_path: str, changes: Sequence[str] = ()) -> TrainConfig:
    """Read a preset or a file, apply changes such as "stages.0.lr=2e-5", and check.

    Raises:
        TrainingError: there is no such preset or file, it is no TOML, or a key or value is wrong.
    """
    table = _read_table(preset_or_path)
    for change in changes:
        _apply(table, change)
    config = from_table(TrainConfig, table, "the configuration")
    check_config(config)
    return config


def _read_table(preset_or_path: str, depth: int = 0) -> dict[str, Any]:
    names, path = preset_names(), Path(preset_or_path)
    if preset_or_path in names:
        text = (resources.files("spaceland.training") / "presets" / f"{preset_or_path}.toml").read_text("utf-8")
    elif path.is_file():
        try:
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise TrainingError(f"cannot read {path}: {error}") from error
    else:
        raise TrainingError(
            f"'{preset_or_path}' is neither a preset nor a file; presets are {', '.join(names)}, a file is TOML"
        )
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise TrainingError(f"{preset_or_path} is not valid TOML: {error}") from error
    base = table.pop("extends", None)
    if base is None:
        return table
    if depth > 4 or not isinstance(base, str):
        raise TrainingError(f"{preset_or_path}: extends = {base!r} should name a preset or file, without a circle")
    near = path.parent / base
    return _merged(_read_table(str(near) if near.is_file() else base, depth + 1), table)


def _merged(base: dict[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for name, value in over.items():
        old = result.get(name)
        result[name] = _merged(old, value) if isinstance(old, dict) and isinstance(value, Mapping) else value
    return result


def _apply(table: dict[str, Any], change: str) -> None:
    """Set one value by its path: "model.encoder=none", "stages.0.lr=2e-5"."""
    path, equals, text = change.partition("=")
    if not equals or not path:
        raise TrainingError(f"--set '{change}' should be PATH=VALUE, such as stages.0.lr=2e-5")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text  # a word without quotes
    place: Any = table
    *parents, last = path.split(".")
    try:
        for key in parents:
            place = place[int(key)] if isinstance(place, list) else place.setdefault(key, {})
        if isinstance(place, list):
            place[int(last)] = value
        else:
            place[last] = value
    except (ValueError, IndexError, TypeError, AttributeError) as error:
        raise TrainingError(f"--set '{change}': there is no such place in the configuration") from error
