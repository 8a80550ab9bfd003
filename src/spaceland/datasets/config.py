"""The settings of a dataset, and the rule that one folder holds one setting.

`config.json` is the first file written into a dataset folder. Running again with the same settings goes on where the
last run stopped; other settings are refused with the names of what differs.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from spaceland.datasets.splits import Split
from spaceland.errors import OutputError
from spaceland.files import read_json, write_json
from spaceland.questions.ask import check_tasks
from spaceland.questions.conventions import Conventions
from spaceland.questions.policy import AmbiguityPolicy
from spaceland.scenes.sources import parse_spec
from spaceland.version import __version__
from spaceland.visibility import VisibilityConfig


@dataclass(frozen=True, kw_only=True)
class GenerateConfig:
    """What a dataset depends on besides the scenes themselves."""

    tasks: tuple[str, ...] | None = None
    """Task names; None for all."""
    per_scene: int = 20
    """Facts of each task in a scene; each fact gives one row in each format of its task."""
    limit: int | None = None
    """Only the first so many scenes."""
    seed: int = 0
    policy: AmbiguityPolicy = field(default_factory=AmbiguityPolicy)
    conventions: Conventions = field(default_factory=Conventions)
    visibility: VisibilityConfig = field(default_factory=VisibilityConfig)
    split: Split = field(default_factory=Split)

    def to_json(self, sources: Sequence[str]) -> dict[str, Any]:
        """Everything that decides the bytes of the dataset, without paths of this machine."""
        return json.loads(
            json.dumps(
                {
                    "version": __version__,
                    "sources": [portable_spec(spec) for spec in sources],
                    "tasks": check_tasks(self.tasks),
                    "per_scene": self.per_scene,
                    "limit": self.limit,
                    "seed": self.seed,
                    "policy": asdict(self.policy),
                    "conventions": asdict(self.conventions),
                    "visibility": asdict(self.visibility),
                    "split": self.split.to_json(),
                }
            )
        )


def portable_spec(spec: str) -> str:
    """A source's name without the folders above it: the same dataset has the same name on every machine.

    >>> portable_spec("scannet:/data/scans/scene0000_00?stride=10"), portable_spec("rooms:1-4")
    ('scannet:scene0000_00?stride=10', 'rooms:1-4')
    """
    kind, location, _ = parse_spec(spec)
    query = f"?{spec.partition('?')[2]}" if "?" in spec else ""
    name = location if kind == "rooms" else Path(location.rstrip("/")).name or Path(location).resolve().name
    return f"{kind}:{name}{query}" if kind else f"{name}{query}"


def claim_folder(out: Path, config: dict[str, Any]) -> None:
    """Write `config.json`, or check that the one in the folder is the same.

    Raises:
        OutputError: the folder belongs to other settings, holds other files, or cannot be written.
    """
    path = out / "config.json"
    if not path.exists():
        if out.is_dir() and any(out.iterdir()):
            raise OutputError(
                f"{out} holds files that are no dataset of ours; choose an empty or new folder with --out"
            )
        write_json(path, config)
        return
    differences = _differences("", read_json(path), config)
    if differences:
        raise OutputError(
            f"{out} was made with other settings: {'; '.join(differences)}. Choose another --out, or remove the folder"
        )


def _differences(prefix: str, old: Any, new: Any) -> list[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        keys = [*old, *(key for key in new if key not in old)]
        return [line for key in keys for line in _differences(f"{prefix}{key}.", old.get(key), new.get(key))]
    return [] if old == new else [f"{prefix[:-1]} is {json.dumps(old)} there and {json.dumps(new)} now"]
