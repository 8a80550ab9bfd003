"""What a run will ask: one item for every row, with its prompt, its media and a hash of both.

The hash is that of the words, the name of the media and the frame policy. A reply is taken over when a run goes on only
where it still is the one to this prompt.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spaceland.benchmarks.frames import FramePolicy
from spaceland.benchmarks.known import ScoreError, benchmark_module
from spaceland.benchmarks.score import find_protocol, prepare_rows
from spaceland.benchmarks.types import Benchmark, Row
from spaceland.chat.types import Message, Picture
from spaceland.evaluation.frames import policy_of
from spaceland.evaluation.media import Media, MediaFinder, MediaMissingError

MAX_TOKENS = {
    "vsibench": 16, "sparbench": 100, "scanrefer": 100, "scan2cap": 100, "embodiedscan-det": 2000,
    "scan2cap-dense": 4000,
}  # fmt: skip
"""Longest replies as the released evaluations set them (VG-LLM's for the last three of the first line; none is known
for dense captioning); 512 for others."""


@dataclass(frozen=True)
class Item:
    """One row to ask. `media` is None where no pictures are shown."""

    id: str
    prompt: str
    media: Media | None
    prompt_sha256: str


@dataclass(frozen=True)
class Plan:
    """A run's items in the order in which they are asked: rows of one video after the other, so it is decoded once.

    `rows` are those that are evaluated, as they were read, by id; `without_media` rows were left out because their
    pictures are not there, `unscored` because the benchmark has no rule for them.
    """

    benchmark: Benchmark
    protocol: str
    policy: FramePolicy | None
    rows: Mapping[str, Row]
    items: tuple[Item, ...]
    num_found: int
    without_media: int = 0
    unscored: int = 0
    unseen: tuple[str, ...] = field(default=(), repr=False)


def make_plan(
    benchmark: str,
    rows: Sequence[Row],
    media: Path | None,
    *,
    protocol: str | None = None,
    frames: int | None = None,
    long_side_px: int | None = None,
    limit: int | None = None,
    subset: str | None = None,
    skip_missing: bool = False,
    chosen: Benchmark | None = None,
) -> Plan:
    """Plan a run.

    Args:
        benchmark: Name.
        rows: As they were read.
        media: Folder of pictures and videos; None to ask without any.
        protocol: Whose prompts and frames to use; the benchmark's first by default.
        frames: Another number of frames.
        long_side_px: Shrink pictures to this.
        limit: At most so many rows: those whose ids have the smallest hashes, so that every model gets the same rows
            and a larger limit contains a smaller one.
        subset: A part of the rows by name.
        skip_missing: Leave rows out whose media are missing, instead of stopping.
        chosen: The benchmark with further protocols, such as a judge's; they ask as its first one does.

    Raises:
        ScoreError: rows, protocol or subset do not fit, or media are missing.
    """
    module = benchmark_module(benchmark)
    released: Benchmark = module.BENCHMARK
    chosen = chosen or released
    name = find_protocol(chosen, protocol).name
    worded = name if name in {rule.name for rule in released.protocols} else released.protocols[0].name
    policy = None if media is None else policy_of(module, worded, frames, long_side_px)
    if limit is not None and limit < 1:
        raise ScoreError(f"a limit of {limit} rows leaves nothing to ask; give at least 1")
    adapted = prepare_rows(chosen, rows)
    given = dict(zip(adapted, rows, strict=True))
    if subset is not None and subset not in chosen.subsets:
        raise ScoreError(f"{benchmark} has no subset '{subset}'; it has {', '.join(chosen.subsets) or 'none'}")
    kept = {i: row for i, row in adapted.items() if subset is None or chosen.subsets[subset](row)}
    ruled = {i: row for i, row in kept.items() if chosen.left_out is None or chosen.left_out(row) is None}
    if not ruled:
        raise ScoreError(f"none of the {len(rows)} rows can be asked; are these rows of {benchmark}?")
    marked = policy is not None and policy.marked
    finder = None if media is None else MediaFinder(media, marked=marked)
    items: list[Item] = []
    missing: dict[str, str] = {}
    for row_id in _sample(ruled, limit):
        try:
            found = None if finder is None else finder.find(given[row_id], ruled[row_id])
        except MediaMissingError as problem:
            missing[row_id] = str(problem)
            continue
        if marked and media is not None and found is not None and found.kind in ("video", "folder"):
            raise ScoreError(_unmarked(worded, found, media))
        words = _prompt(module, ruled[row_id], worded)
        items.append(Item(row_id, words, found, _prompt_sha256(words, found, policy)))
    if missing and not (skip_missing and items):
        first = next(iter(missing))
        raise ScoreError(
            f"{len(missing)} of {len(missing) + len(items)} rows have no media; row '{first}' {missing[first]}; give "
            "their folder with --media, --blind to ask without pictures, or --skip-missing to leave such rows out"
        )
    if frames is not None and items and all(item.media and item.media.kind == "pictures" for item in items):
        raise ScoreError(
            f"another number of frames ({frames}) changes nothing: these rows of {benchmark} bring their own pictures, "
            "all of which are shown; leave --frames out"
        )
    order = {row_id: number for number, row_id in enumerate(given)}
    items.sort(
        key=lambda item: (item.media.name if item.media and item.media.kind != "pictures" else "", order[item.id])
    )
    asked = {item.id for item in items}
    return Plan(
        benchmark=chosen,
        protocol=name,
        policy=policy,
        rows={row_id: row for row_id, row in given.items() if row_id in asked},
        items=tuple(items),
        num_found=len(rows),
        without_media=len(missing),
        unscored=len(kept) - len(ruled),
        unseen=tuple(missing),
    )


def _sample(ids: Mapping[str, Any], limit: int | None) -> list[str]:
    if limit is None or limit >= len(ids):
        return list(ids)
    return sorted(ids, key=lambda row_id: hashlib.sha256(row_id.encode("utf-8", "surrogatepass")).digest())[:limit]


def _unmarked(protocol: str, found: Media, media: Path) -> str:
    """What to do where a protocol names objects by marks that the pictures do not have."""
    scene = Path(found.name).stem if found.kind == "video" else Path(found.name).name
    return (
        f"protocol {protocol} shows a view from above and marked frames, but {media / found.name} has no marks; make "
        f"them for every scene: spaceland mark scannet:SCANS --scene {scene} --frames 32 --long-side 512 --out "
        f"{media / scene}; or ask without marks under another --protocol"
    )


def _prompt(module: Any, row: Row, protocol: str) -> str:
    """The official words, else the bare question."""
    try:
        return str(module.prompt(row, protocol)) if hasattr(module, "prompt") else str(row["question"])
    except KeyError as error:
        raise ScoreError(f"a row has no {error}, which the prompt of protocol {protocol} needs") from None


def _prompt_sha256(words: str, media: Media | None, policy: FramePolicy | None) -> str:
    shown = None if media is None else [media.kind, media.name, len(media.sources), list(map(dict, media.marks))]
    how = None if policy is None else policy.to_json()
    return text_sha256(json.dumps([words, shown, how], sort_keys=True))


def text_sha256(text: str) -> str:
    """Hash of a text, also of one with halves of surrogate pairs."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def message_of(item: Item, pictures: Sequence[Picture], policy: FramePolicy | None) -> list[Message]:
    """The chat for an item: pictures, each after its label where the policy has one, then the words."""
    parts: list[str | Picture] = []
    for number, picture in enumerate(pictures):
        if policy and policy.label:
            parts.append(policy.label.replace("{index}", str(number + policy.first)))
        parts.append(picture)
    return [Message("user", (*parts, item.prompt))]


def sent_sha256(messages: Sequence[Message]) -> str:
    """Hash of everything that was sent: words and the bytes of pictures."""
    digest = hashlib.sha256()
    for message in messages:
        for part in message.content:
            data = part.data if isinstance(part, Picture) else part.encode("utf-8", "surrogatepass")
            digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()
