"""A weighted training mixture of several datasets.

Worked example. `rooms` has 600 sentences and 600 choices, `scans` has 900 of each. With the weights sentence=1,
select=0.1 and rooms=2:

    rooms sentence 1200 (each twice)   rooms select 120   scans sentence 900   scans select 90

A weight is the product of all patterns that match a row's source, task or format. Its whole part repeats every row, the
rest takes rows at random, not the first ones, and all of it is shuffled: the same seed gives the same bytes.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from random import Random
from typing import Any

from spaceland.datasets.card import source_names
from spaceland.errors import SourceError
from spaceland.exchange.dataset import Dataset, Progress, Row
from spaceland.exchange.folder import link_or_copy, new_folder, plain_name, safe_path
from spaceland.exchange.pick import index_rows, row_at
from spaceland.exchange.rows_out import RowsOut
from spaceland.files import read_json, write_json
from spaceland.version import __version__

MAX_WEIGHT = 1000.0


@dataclass(frozen=True)
class Part:
    """Rows of one source, task and format: how many there are, and how many went in."""

    source: str
    task: str
    format: str
    available: int
    weight: float
    taken: int

    def to_json(self) -> dict[str, Any]:
        return {
            "source": self.source,
            "task": self.task,
            "format": self.format,
            "available": self.available,
            "weight": self.weight,
            "taken": self.taken,
        }


def parse_weight(text: str) -> tuple[tuple[str, ...], float]:
    """ "select=0.1" or "rooms/depth_*/fill=2" as (pattern fields, weight).

    Raises:
        SourceError: not of that form.
    """
    pattern, equals, number = text.rpartition("=")
    fields = tuple(pattern.split("/"))
    try:
        weight = float(number)
    except ValueError:
        weight = math.nan
    if not equals or len(fields) not in (1, 3) or not all(fields) or not 0 <= weight <= MAX_WEIGHT:
        raise SourceError(
            f"--weight '{text}' should be NAME=NUMBER (a source, task or format) or SOURCE/TASK/FORMAT=NUMBER with "
            f"* for any, and a number from 0 to {MAX_WEIGHT:g}"
        )
    return fields, weight


def matches(fields: Sequence[str], source: str, task: str, format: str) -> bool:
    """Whether a pattern means a part: one field may be any of the three names, three fields mean each its own."""
    names = (source, task, format)
    if len(fields) == 1:
        return any(fnmatchcase(name, fields[0]) for name in names)
    return all(fnmatchcase(name, field) for name, field in zip(names, fields, strict=True))


def plan(
    available: Mapping[tuple[str, str, str], int],
    weights: Sequence[tuple[Sequence[str], float]],
    total: int | None = None,
) -> list[Part]:
    """How many rows of each part go in; with `total`, weights are scaled so that all of them together are that many.

    Raises:
        SourceError: a pattern that matches nothing, or nothing is left.
    """
    for fields, _ in weights:
        if not any(matches(fields, *key) for key in available):
            names = [sorted({key[k] for key in available}) for k in range(3)]
            raise SourceError(
                f"--weight '{'/'.join(fields)}' matches no rows; sources are {', '.join(names[0])}; "
                f"formats are {', '.join(names[2])}; tasks are {', '.join(names[1])}"
            )
    chosen = {
        key: math.prod(weight for fields, weight in weights if matches(fields, *key)) for key in sorted(available)
    }
    quotas = {key: chosen[key] * available[key] for key in chosen}
    everything = sum(quotas.values())
    if everything <= 0:
        raise SourceError("all weights are 0, so nothing is left")
    if total is None:
        taken = {key: math.floor(quota + 0.5) for key, quota in quotas.items()}
    else:
        quotas = {key: quota * total / everything for key, quota in quotas.items()}
        taken = {key: math.floor(quota) for key, quota in quotas.items()}
        by_rest = sorted(quotas, key=lambda key: (taken[key] - quotas[key], key))
        for key in by_rest[: total - sum(taken.values())]:
            taken[key] += 1
    return [Part(*key, available[key], chosen[key], taken[key]) for key in chosen]


class Mixture:
    """What goes into a mixture, chosen but not yet written.

    Args:
        sources: Dataset folders by name.
        weights: As `parse_weight` reads them; everything weighs 1 by default.
        total: Number of rows of the mixture; by default what the weights give.
        seed: Of what is taken, and of the order.

    Raises:
        SourceError: weights that make no sense.
        SceneError: a dataset is broken.
    """

    def __init__(
        self, sources: Mapping[str, Path], weights: Sequence[str] = (), *, total: int | None = None, seed: int = 0
    ) -> None:
        rules = [parse_weight(text) for text in weights]
        if total is not None and total < 1:
            raise SourceError(f"--rows is {total}; a mixture has at least one row")
        self._sources, self._weights, self._seed = sources, list(weights), seed
        places = {
            (name, *key): offsets
            for name, folder in sources.items()
            for key, offsets in index_rows(Dataset(folder), lambda row: (row["task"], row["format"])).items()
        }
        self.parts = plan({key: len(offsets) for key, offsets in places.items()}, rules, total)
        if not any(part.taken for part in self.parts):
            raise SourceError("the weights leave no row; give greater ones, or --rows")
        self._part_of, self._offset_of, self._copy_of = array("H"), array("q"), array("H")
        for k, part in enumerate(self.parts):
            self._take(k, places[part.source, part.task, part.format], part.taken)

    @property
    def num_rows(self) -> int:
        return len(self._part_of)

    def _take(self, part: int, offsets: array[int], count: int) -> None:
        """Every row as often as it fits, and the rest at random."""
        names = self.parts[part]
        rng = Random(f"{self._seed}:{names.source}:{names.task}:{names.format}")
        whole, rest = divmod(count, len(offsets))
        everything = range(len(offsets))
        for copy, indices in enumerate([*[everything] * whole, sorted(rng.sample(everything, rest))]):
            for index in indices:
                self._part_of.append(part)
                self._offset_of.append(offsets[index])
                self._copy_of.append(copy)

    def write(self, out: Path, progress: Progress | None = None) -> None:
        """Write the mixture as a dataset folder, and what went in as mix.json.

        Images are hard links where the disk allows it, else copies. With several sources, ids and images carry the name
        of their source.

        Args:
            out: New or empty folder.
            progress: Called with (rows done, source).
        """
        order = array("q", range(self.num_rows))
        Random(f"{self._seed}:order").shuffle(order)  # type: ignore[arg-type]
        with new_folder(out) as temporary, ExitStack() as stack:
            files = {
                name: stack.enter_context((folder / "rows.jsonl").open("rb")) for name, folder in self._sources.items()
            }
            rows = stack.enter_context(RowsOut(temporary))
            for at in order:
                source = self.parts[self._part_of[at]].source
                row = row_at(files[source], self._offset_of[at])
                rows.add(self._placed(temporary, source, row, self._copy_of[at]))
                if progress:
                    progress(1, source)
            infos = self._infos()
            rows.finish(
                title=plain_name(out.resolve().name),
                text=["A weighted mixture of datasets; mix.json tells what went in."],
                sources=list(dict.fromkeys(name for info in infos.values() for name in source_names(info))),
                more=joined_settings(infos),
            )
            table = {
                "version": __version__,
                "seed": self._seed,
                "weights": self._weights,
                "rows": self.num_rows,
                "parts": [part.to_json() for part in self.parts],
            }
            write_json(temporary / "mix.json", table)

    def _placed(self, out: Path, source: str, row: Row, copy: int) -> Row:
        """A row of the mixture; its images are placed."""
        several, dataset = len(self._sources) > 1, Dataset(self._sources[source])
        images = []
        for k, path in enumerate(row["images"]):
            rest = str(safe_path(path, f"row {row['id']}"))
            target = f"images/{source}/{rest.removeprefix('images/')}" if several else rest
            if not (out / target).exists():
                link_or_copy(dataset.image_path(row, k), out / target)
            images.append(target)
        row_id = f"{source}/{row['id']}" if several else row["id"]
        return {**row, "id": f"{row_id}~{copy + 1}" if copy else row_id, "images": images}

    def _infos(self) -> dict[str, Any]:
        """What info.json says, by the name that goes before the ids; with one dataset there is none."""
        several = len(self._sources) > 1
        paths = {name if several else "": folder / "info.json" for name, folder in self._sources.items()}
        return {name: read_json(path) if path.exists() else None for name, path in paths.items()}


def joined_settings(infos: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of several datasets as entries of one info.json: rows are verified by those they were made with.

    >>> joined_settings({"rooms": {"config": {"seed": 1}}, "mix": {"parts": {"a": {"config": {}}}}, "spar": {}})
    {'parts': {'rooms': {'config': {'seed': 1}}, 'mix/a': {'config': {}}, 'spar': {}}}
    >>> joined_settings({"": {"config": {"seed": 1}}})
    {'config': {'seed': 1}}

    Args:
        infos: What info.json of each dataset says (None: there is none) by what goes before its ids and a slash; "" for
            nothing.
    """
    settings: dict[str, Any] = {}
    for prefix, info in infos.items():
        known = info if isinstance(info, dict) else {}
        own = {"config": known["config"]} if isinstance(known.get("config"), dict) else {}
        inner = known["parts"] if isinstance(known.get("parts"), dict) else {}
        if not prefix:
            settings |= own
        elif own or not inner:
            settings.setdefault("parts", {})[prefix] = own
        for name, entry in inner.items():
            settings.setdefault("parts", {})[f"{prefix}/{name}" if prefix else name] = entry
    return settings


def named_sources(arguments: Sequence[str]) -> dict[str, Path]:
    """Folders by name: "PATH" is called as its last folder, "NAME=PATH" as it says.

    Raises:
        SourceError: no folder, or two of one name.
    """
    sources: dict[str, Path] = {}
    for text in arguments:
        name, equals, path = text.partition("=")
        if not equals or "/" in name or Path(text).exists():
            name, path = Path(text).resolve().name, text
        name = plain_name(name)
        if name in sources:
            raise SourceError(f"two datasets are called '{name}'; give them names, for example {name}2={path}")
        sources[name] = Path(path)
    if not sources:
        raise SourceError("no dataset given; for example: spaceland mix out/rooms out/scans --out out/mix")
    return sources
