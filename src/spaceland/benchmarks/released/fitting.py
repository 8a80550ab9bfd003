"""From released records to rows: names of fields, and the few things that need more than another name.

A record keeps all its fields; what is added stands beside them. Functions that take `folder` may look at files that
were released beside the table.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from spaceland.benchmarks.scan2cap_rows import rows_from_scanrefer
from spaceland.benchmarks.scan2cap_scenes import scenes_from_scanrefer
from spaceland.benchmarks.types import Row

_VIDEOS = (".mp4", ".avi", ".mov", ".mkv", ".webm")
_LONG = 1000
_BASE64 = re.compile(r"[A-Za-z0-9+/]{100,}={0,2}")
_PICTURES = ("images", "image_path", "image")


def renamed(record: Mapping[str, Any], fields: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """The record with every field of `fields` that it lacks, taken from the first other name that it has.

    >>> renamed({"answer": "B"}, {"gt_answer": ["answer"]})
    {'answer': 'B', 'gt_answer': 'B'}
    """
    found = dict(record)
    for name, others in fields.items():
        if found.get(name) is None:
            other = next((other for other in others if found.get(other) is not None), None)
            if other is not None:
                found[name] = found[other]
    return found


def listed_pictures(record: dict[str, Any]) -> dict[str, Any]:
    """VLMEvalKit's tables hold several pictures as one text, a Python list of base64: here `images`, one text each."""
    text = record.get("image")
    if not isinstance(text, str) or len(text) < _LONG or not text.startswith("["):
        return record
    return {name: value for name, value in record.items() if name != "image"} | {"images": _BASE64.findall(text)}


def with_pruned(records: list[dict[str, Any]], folder: Path | None) -> list[dict[str, Any]]:
    """VSI-Bench: `pruned` from pruned_ids.txt beside test.jsonl, for releases whose rows do not say it themselves."""
    listed = None if folder is None else folder / "pruned_ids.txt"
    if listed is None or not listed.is_file() or not records or "pruned" in records[0]:
        return records
    ids = set(listed.read_text("utf-8", errors="replace").split())
    return [{**record, "pruned": str(record.get("id")) in ids} for record in records]


def captioned_objects(records: list[dict[str, Any]], folder: Path | None) -> list[dict[str, Any]]:
    """Scan2Cap: descriptions of ScanRefer grouped to objects, of which the true boxes are captioned (IoU 1)."""
    return rows_from_scanrefer(records) if _one_description_each(records) else records


def described_scenes(records: list[dict[str, Any]], folder: Path | None) -> list[dict[str, Any]]:
    """Dense captioning: descriptions of ScanRefer grouped to objects and scenes; boxes come from elsewhere."""
    return scenes_from_scanrefer(records) if _one_description_each(records) else records


def _one_description_each(records: list[dict[str, Any]]) -> bool:
    return bool(records) and all("description" in record and "object_name" in record for record in records)


def site_visuals(records: list[dict[str, Any]], folder: Path | None) -> list[dict[str, Any]]:
    """SITE: `visual` as `video` or `images`, and options as a list."""
    rows = []
    for record in records:
        visual = record.get("visual")
        names = [visual] if isinstance(visual, str) else list(visual or ())
        video = names and isinstance(names[0], str) and names[0].lower().endswith(_VIDEOS)
        shown = {"video": names[0]} if video else {"images": names} if names else {}
        rows.append({**record, "visual": names, **shown})
    return rows


def episodes(records: list[dict[str, Any]], folder: Path | None) -> list[dict[str, Any]]:
    """OpenEQA: the episode is the folder of frames."""
    return [
        {**record, "scene": record["episode_history"]} if record.get("episode_history") else record
        for record in records
    ]


def bare_questions(records: list[dict[str, Any]], folder: Path | None) -> list[dict[str, Any]]:
    """All-Angles Bench: data.json repeats the options inside of its questions; the authors' own table takes them out,
    and all commas with them. Tables whose questions are bare are left as they are."""

    def options(record: Mapping[str, Any]) -> list[str]:
        return [str(record[letter]) for letter in "ABC" if str(record.get(letter) or "").strip()]

    def bare(record: Mapping[str, Any]) -> str:
        question = str(record.get("question", ""))
        for option in options(record):
            question = question.replace(option, "")
        return question.strip().replace(",", "").strip()

    full = sum(all(option in str(record.get("question", "")) for option in options(record)) for record in records)
    return [{**record, "question": bare(record)} for record in records] if 2 * full > len(records) else records


def no_media(row: Row) -> list[str]:
    """Rows that hold their pictures, or whose pictures are not released with them."""
    return []


def row_images(row: Row) -> list[str]:
    """The paths that a row names; none where it holds the pictures themselves."""
    if isinstance(row.get("video"), str):
        return [str(row["video"])]
    value = next((row[key] for key in _PICTURES if row.get(key)), ())
    return [name for name in ([value] if isinstance(value, str) else value) if isinstance(name, str)]


def vsi_video(row: Row) -> list[str]:
    """The video of VSI-Bench and VSTI-Bench rows: named, or by data set and scene."""
    named = row.get("video_path") or row.get("video")
    if isinstance(named, str):
        return [named]
    scene = row.get("scene_name")
    return [f"{row['dataset']}/{scene}.mp4" if row.get("dataset") else f"{scene}.mp4"] if scene else []


def named_video(row: Row) -> list[str]:
    """The video of STI-Bench."""
    return [str(row["Video"])] if row.get("Video") else []
