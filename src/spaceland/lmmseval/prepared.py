"""Rows made ready for lmms-eval: which benchmark, protocol, frames and files, kept where the task folder finds them.

`prepare` looks through rows and media once and writes two files to a folder: BENCHMARK.json, the choices, and
BENCHMARK.jsonl, an index with the id of every row, which is the data set that lmms-eval loads. The rows
themselves stay where they are and are read as `spaceland score` reads them: a detour through Arrow would fill missing
fields with nulls and turn whole numbers into fractions. Rows that have changed since are refused.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from spaceland.benchmarks.frames import FramePolicy
from spaceland.benchmarks.known import ScoreError, find_benchmark
from spaceland.benchmarks.released import open_rows
from spaceland.benchmarks.score import complete_rows, find_protocol, prepare_rows, rows_sha256, score_benchmark
from spaceland.benchmarks.types import Benchmark, Protocol, Row
from spaceland.cache import default_cache_dir
from spaceland.evaluation.media import MediaCache
from spaceland.evaluation.plan import Item, Plan, make_plan
from spaceland.evaluation.released_media import bring_media
from spaceland.files import read_json, write_json, write_text

BENCHMARKS = ("scanqa", "sqa3d", "scanrefer", "multi3drefer", "scan2cap", "embodiedscan-det")
"""Those that lmms-eval lacks and that have a task in the folder `tasks`."""
VARIABLE = "SPACELAND_LMMS_EVAL"
_FORMAT = "spaceland-lmms-eval/1"
_ANY_REPLY = "x"


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What was chosen; `figures` are the names of all figures that the protocol gives on these rows."""

    benchmark: str
    protocol: str
    rows: tuple[str, ...]
    fields: tuple[str, ...]
    media: str | None
    frames: int | None
    long_side_px: int | None
    skip_missing: bool
    side_files: Mapping[str, str]
    rows_sha256: str
    num_rows: int
    figures: tuple[str, ...]
    format: str = field(default=_FORMAT)


@dataclass(frozen=True)
class Prepared:
    """A benchmark ready to be asked and scored; `rows` are in released field names, by id, as `items` are."""

    setup: Setup
    benchmark: Benchmark
    protocol: Protocol
    policy: FramePolicy | None
    rows: Mapping[str, Row]
    items: Mapping[str, Item]
    cache: MediaCache | None = field(repr=False)


def folder() -> Path:
    """Where prepared benchmarks lie: `$SPACELAND_LMMS_EVAL`, else in the cache."""
    chosen = os.environ.get(VARIABLE)
    return Path(chosen) if chosen else default_cache_dir() / "lmms-eval"


def task_name(benchmark: str) -> str:
    """
    >>> task_name("embodiedscan-det")
    'embodiedscan_det_spaceland'
    """
    return f"{benchmark.replace('-', '_')}_spaceland"


def prepare(
    benchmark: str,
    rows: Sequence[str],
    media: Path | None = None,
    *,
    blind: bool = False,
    fields: Sequence[str] = (),
    protocol: str | None = None,
    frames: int | None = None,
    long_side_px: int | None = None,
    skip_missing: bool = False,
    side_files: Mapping[str, Path] | None = None,
    into: Path | None = None,
) -> Setup:
    """Look rows and media through, and write choices and index.

    Args:
        benchmark: One of `BENCHMARKS`.
        rows: Where the rows are, as for `spaceland evaluate` (`spaceland.benchmarks.released.open_rows`).
        media: Folder of videos and pictures; by default as `bring_media` has it.
        blind: Ask with the words alone.
        fields: Other names of fields as OURS=THEIRS.
        protocol: Whose prompts, frames and scores; the benchmark's first by default.
        frames: Another number of frames.
        long_side_px: Shrink pictures to this longer side.
        skip_missing: Leave rows out whose media are missing.
        side_files: Files beside the rows, as for `spaceland score`: "extra", "labels", "classes".
        into: The folder; see `folder`.

    Raises:
        ScoreError: no such benchmark or protocol; rows or media that do not fit.
        SceneError: a file is missing or broken.
        OutputError: the folder cannot be written.
    """
    if benchmark not in BENCHMARKS:
        raise ScoreError(
            f"'{benchmark}' has no task for lmms-eval here, which has the others already; give one of "
            f"{', '.join(BENCHMARKS)}"
        )
    into = folder() if into is None else into
    opened = open_rows(benchmark, rows, fields)
    shown = None if blind else bring_media(opened, opened.rows, media)
    setup = Setup(
        benchmark=benchmark,
        protocol=find_protocol(find_benchmark(benchmark), protocol).name,
        rows=tuple(_absolute(source) for source in rows),
        fields=tuple(fields),
        media=None if shown is None else str(shown.resolve()),
        frames=frames,
        long_side_px=long_side_px,
        skip_missing=skip_missing,
        side_files={name: str(path.resolve()) for name, path in (side_files or {}).items()},
        rows_sha256="",
        num_rows=0,
        figures=(),
    )
    plan = _plan(setup)
    kept = prepare_rows(plan.benchmark, list(plan.rows.values()))
    setup = replace(setup, rows_sha256=rows_sha256(kept), num_rows=len(plan.items), figures=_figures(plan))
    index = [{"benchmark": benchmark, "id": item.id} for item in plan.items]
    # The choices go last: without them nothing is taken for prepared.
    write_text(into / f"{benchmark}.jsonl", "".join(f"{json.dumps(line)}\n" for line in index))
    write_json(into / f"{benchmark}.json", asdict(setup))
    return setup


def _absolute(source: str) -> str:
    """A source of rows that means the same in every folder."""
    if source.startswith("hf:"):
        return source
    path, mark, part = (source, "", "") if Path(source).exists() else source.partition("#")
    return f"{Path(path).resolve()}{mark}{part}"


def _plan(setup: Setup) -> Plan:
    chosen = find_benchmark(setup.benchmark)
    table = complete_rows(
        chosen,
        open_rows(setup.benchmark, setup.rows, setup.fields).rows,
        {name: Path(path) for name, path in setup.side_files.items()},
    )
    return make_plan(
        setup.benchmark,
        table,
        None if setup.media is None else Path(setup.media),
        protocol=setup.protocol,
        frames=setup.frames,
        long_side_px=setup.long_side_px,
        skip_missing=setup.skip_missing,
    )


def _figures(plan: Plan) -> tuple[str, ...]:
    """Names of figures, the overall one first. Those that cannot be had here (METEOR without Java) are not among them;
    a task is, where there are several and no group has its name."""
    said = dict.fromkeys(plan.rows, _ANY_REPLY)
    result = score_benchmark(plan.benchmark, list(plan.rows.values()), said, plan.protocol, resamples=0)
    groups = [name for name, value in result.groups.items() if value is not None]
    tasks = list(result.tasks) if len(result.tasks) > 1 else []
    return tuple(dict.fromkeys(["overall", *groups, *tasks]))


def read_setup(benchmark: str, where: Path) -> Setup:
    """The choices for a benchmark.

    Raises:
        ScoreError: it is not prepared, or by another version.
    """
    path = where / f"{benchmark}.json"
    if not path.exists():
        raise ScoreError(
            f"{benchmark} is not prepared in {where}: python -m spaceland.lmmseval prepare {benchmark} --rows ROWS "
            f"--media FOLDER; another place is told by {VARIABLE}"
        )
    data = read_json(path)
    if not isinstance(data, dict) or data.get("format") != _FORMAT:
        raise ScoreError(f"{path} was not written by this version; prepare {benchmark} again")
    known: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in data.items()}
    return Setup(**known)


def load(benchmark: str) -> Prepared:
    """A prepared benchmark; read once in a process.

    Raises:
        ScoreError: it is not prepared, or its rows have changed since.
        SceneError: a file is missing or broken.
    """
    return _load(benchmark, folder())


@lru_cache(maxsize=len(BENCHMARKS))
def _load(benchmark: str, where: Path) -> Prepared:
    setup = read_setup(benchmark, where)
    plan = _plan(setup)
    rows = prepare_rows(plan.benchmark, list(plan.rows.values()))
    if rows_sha256(rows) != setup.rows_sha256:
        raise ScoreError(
            f"the rows of {benchmark} in {', '.join(setup.rows)} are not those that were prepared; prepare it again"
        )
    return Prepared(
        setup,
        plan.benchmark,
        find_protocol(plan.benchmark, setup.protocol),
        plan.policy,
        rows,
        {item.id: item for item in plan.items},
        None if plan.policy is None else MediaCache(plan.policy),
    )


def task_fields(benchmark: str) -> tuple[dict[str, Any], list[dict[str, Any]], dict[str, Any]]:
    """What a task's YAML takes from the prepared rows: dataset_kwargs, metric_list and metadata.

    Raises:
        ScoreError: the benchmark is not prepared.
    """
    from spaceland.lmmseval.task import aggregate

    where = folder()
    setup = read_setup(benchmark, where)
    dataset = {"data_files": {"test": str(where / f"{benchmark}.jsonl")}}
    metrics = [{"metric": name, "aggregation": aggregate, "higher_is_better": True} for name in setup.figures]
    metadata = {"version": 1.0, "protocol": f"{benchmark}@{setup.protocol}", "setup": asdict(setup)}
    return dataset, metrics, metadata
