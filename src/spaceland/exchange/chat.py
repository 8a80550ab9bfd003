"""Conversations for trainers: LLaVA, ShareGPT as LLaMA-Factory reads it, and Hugging Face messages.

    llava      llava_single.json (`image` is a path) and llava_multi.json (`image` is a list), JSON arrays
    sharegpt   sharegpt.json with `conversations` and `images`, and dataset_info.json for LLaMA-Factory
    messages   messages.jsonl with `messages` (roles, typed parts) and `images`

A question begins with one `<image>` for each image; frames of a video are called Frame-1, Frame-2, ..., as in the text.
A `messages` row has a part {"type": "image"} for each image instead, in the same order.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

from spaceland.exchange.dataset import MAX_STILLS, Dataset, Pictures, Progress, Row, Tally, dump, image_prefix
from spaceland.files import write_json


class JsonArray:
    """Writes a JSON array row by row, one row on a line."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8", newline="\n")
        self.count = 0

    def __enter__(self) -> JsonArray:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self._file.write("\n]\n" if self.count else "[]\n")
        self._file.close()

    def write(self, row: dict[str, Any]) -> None:
        self._file.write(("[\n" if self.count == 0 else ",\n") + dump(row))
        self.count += 1


def _turns(row: Row) -> list[dict[str, str]]:
    question = image_prefix(len(row["images"])) + row["question"]
    return [{"from": "human", "value": question}, {"from": "gpt", "value": row["answer"]}]


def _meta(row: Row, drawn: bool) -> dict[str, Any]:
    """What trainers ignore and people want to know; texts only, so that tables have one type."""
    meta = {"task": row["task"], "format": row["format"], "scene": row["scene"]}
    return meta if drawn else {**meta, "marks": dump(row.get("marks", []))}


def llava_row(row: Row, images: list[str], drawn: bool) -> dict[str, Any]:
    """LLaVA: a path for one image, a list for more."""
    image = images[0] if len(images) == 1 else images
    return {"id": row["id"], "image": image, "conversations": _turns(row), **_meta(row, drawn)}


def sharegpt_row(row: Row, images: list[str], drawn: bool) -> dict[str, Any]:
    """ShareGPT with images beside the conversation."""
    return {"id": row["id"], "conversations": _turns(row), "images": images, **_meta(row, drawn)}


def messages_row(row: Row, images: list[str], drawn: bool) -> dict[str, Any]:
    """Hugging Face: typed parts; all parts have both keys, so that tables have one type."""
    parts: list[dict[str, str | None]] = []
    for k in range(len(images)):
        if len(images) > MAX_STILLS:
            parts.append({"type": "text", "text": f"Frame-{k + 1}: "})
        parts.append({"type": "image", "text": None})
    parts.append({"type": "text", "text": row["question"]})
    return {
        "id": row["id"],
        "messages": [
            {"role": "user", "content": parts},
            {"role": "assistant", "content": [{"type": "text", "text": row["answer"]}]},
        ],
        "images": images,
        **_meta(row, drawn),
    }


def write_llava(dataset: Dataset, out: Path, *, drawn: bool, progress: Progress | None = None) -> Tally:
    """llava_single.json and llava_multi.json with their images."""
    with ExitStack() as stack:
        single = stack.enter_context(JsonArray(out / "llava_single.json"))
        multi = stack.enter_context(JsonArray(out / "llava_multi.json"))
        return _each(
            dataset,
            out,
            drawn,
            progress,
            lambda row, images: (single if len(images) == 1 else multi).write(llava_row(row, images, drawn)),
        )


def write_sharegpt(dataset: Dataset, out: Path, *, drawn: bool, progress: Progress | None = None) -> Tally:
    """sharegpt.json and LLaMA-Factory's dataset_info.json."""
    write_json(
        out / "dataset_info.json",
        {
            "spaceland": {
                "file_name": "sharegpt.json",
                "formatting": "sharegpt",
                "columns": {"messages": "conversations", "images": "images"},
            }
        },
    )
    with JsonArray(out / "sharegpt.json") as rows:
        return _each(dataset, out, drawn, progress, lambda row, images: rows.write(sharegpt_row(row, images, drawn)))


def write_messages(dataset: Dataset, out: Path, *, drawn: bool, progress: Progress | None = None) -> Tally:
    """messages.jsonl."""
    with (out / "messages.jsonl").open("w", encoding="utf-8", newline="\n") as lines:
        return _each(
            dataset,
            out,
            drawn,
            progress,
            lambda row, images: lines.write(dump(messages_row(row, images, drawn)) + "\n"),
        )


def _each(
    dataset: Dataset,
    out: Path,
    drawn: bool,
    progress: Progress | None,
    write: Callable[[Row, list[str]], object],
) -> Tally:
    """Place the images of each row, then write it."""
    pictures, tally = Pictures(dataset, out, drawn), Tally()
    for row in dataset.rows():
        write(row, pictures.place_all(row))
        tally.add(row)
        if progress:
            progress(1, row["scene"])
    return tally


def data_files(format: str, out: Path) -> dict[str, list[str]]:
    """Configurations for the dataset card: name and files; empty files are left out, since nothing can open them."""
    names = {
        "llava": {"multi": "llava_multi.json", "single": "llava_single.json"},
        "sharegpt": {"default": "sharegpt.json"},
        "messages": {"default": "messages.jsonl"},
    }[format]
    return {config: [name] for config, name in names.items() if _has_rows(out / name)}


def _has_rows(path: Path) -> bool:
    with path.open(encoding="utf-8") as lines:
        return lines.read(4) not in ("", "[]\n")
