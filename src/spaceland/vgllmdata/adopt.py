"""A file in VG LLM's form as a dataset folder of ours, which can be shown, mixed and exported.

Questions lose their places for pictures, which exporters put back. Evaluation files without answers give no rows.
Cameras and true boxes, where a row has them, lie in its facts under `release`. Angles of answers become intrinsic ZXY,
which all rows of ours have; nothing in a file says how its own are meant, but upright furniture tells.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spaceland.errors import SourceError
from spaceland.exchange.dataset import Tally
from spaceland.exchange.folder import link_or_copy, new_folder, plain_name
from spaceland.exchange.rows_out import RowsOut
from spaceland.exchange.spar7m_read import read_options
from spaceland.geometry.box9 import EulerConvention
from spaceland.tasks3d.box9_frames import likely_convention
from spaceland.tasks3d.parse import read_detections, read_grounding
from spaceland.tasks3d.prompts import IMAGE, detection_answer, grounding_answer
from spaceland.version import __version__
from spaceland.vgllmdata.released import VIDEO, Kind, ReleasedRow, frames_of, read_released

TASK_NAMES: dict[Kind, str] = {
    "grounding": "grounding_box",
    "captioning": "captioning",
    "detection": "detection_window",
    "video": "video_chat",
    "chat": "chat",
}
_KEPT = ("gt_bbox", "input_box", "gt_box", "iou", "metadata", "cam2img", "cam2global", "axis_align_matrix", "boxes")


@dataclass
class Adopted:
    """Rows by task, rows left out by reason, how many images of rows are not there, how many rows have more questions
    than the first one, which alone is taken, and how many detection rows have boxes that stand upright under one
    convention only."""

    tally: Tally = field(default_factory=Tally)
    missing_images: int = 0
    more_questions: int = 0
    conventions: Counter[EulerConvention] = field(default_factory=Counter)


def adopt_released(
    path: Path,
    out: Path,
    *,
    media: Path | None = None,
    percent: int | None = None,
    seed: int = 0,
    limit: int | None = None,
    convention: EulerConvention = "ZXY",
    progress: Callable[[int, str], None] | None = None,
) -> Adopted:
    """Write the rows of a file as a dataset folder.

    Args:
        path: A file in VG LLM's form.
        out: New or empty folder.
        media: The folder that image paths start from; without it rows name images that are not placed, and rows about
            videos are left out.
        percent: Only a share of the rows.
        seed: Of the draw.
        limit: At most so many rows.
        convention: Of the file's angles.
        progress: Called as progress(1, kind) after each row.

    Raises:
        SceneError, SourceError: the file is damaged, none of this form, or gives no row.
        OutputError: `out` is not empty or cannot be written.
    """
    result = Adopted()
    with new_folder(out) as temporary, RowsOut(temporary) as rows:
        result.tally = rows.tally
        for row in read_released(path, percent=percent, seed=seed, limit=limit):
            ours = row if isinstance(row, str) else to_our_row(row, plain_name(path.stem), media, convention)
            if isinstance(ours, str):
                rows.tally.leave_out(ours)
            else:
                rows.add(ours)
                assert isinstance(row, ReleasedRow)
                result.more_questions += sum(role == "user" for role, _ in row.turns) > 1
                if media is not None:
                    result.missing_images += _place(ours["images"], media, temporary)
            if not isinstance(row, str) and row.kind == "detection" and (likely := _convention_of(row)):
                result.conventions[likely] += 1
            if progress:
                progress(1, "" if isinstance(row, str) else row.kind)
        if not result.tally.total:
            reasons = ", ".join(f"{count:,} {reason}" for reason, count in sorted(result.tally.left_out.items()))
            raise SourceError(f"{path} gives no row of ours ({reasons or 'it is empty'}); give a file with answers")
        rows.finish(
            title=plain_name(out.resolve().name),
            text=["Rows in VG LLM's form, read by `spaceland vgllm-data`."],
            sources=[f"vgllm:{path.name}"],
            more={"left_out": dict(sorted(result.tally.left_out.items()))},
        )
    return result


def to_our_row(
    row: ReleasedRow, name: str, media: Path | None = None, convention: EulerConvention = "ZXY"
) -> dict[str, Any] | str:
    """A row with our columns, or why it gives none. `convention` is that of its angles; ours are ZXY."""
    images = row.images
    if row.video is not None:
        folder = None if media is None else media / row.video
        images = tuple(f"{row.video}/{file.name}" for file in frames_of(folder)) if folder else ()
        if not images:
            return "a video whose folder of frames is not there (--media)"
    if not images:
        return "no images"
    asked = next(text for role, text in row.turns if role == "user")
    answer = next(text for role, text in row.turns if role == "assistant").strip()
    question = plain_question(asked)
    if not question or not answer:
        return "no answer: a row of an evaluation file"
    kind, value, answer = _typed(row, answer, len(images), convention)
    options = read_options(question) if row.kind == "spar" else None
    return {
        "id": f"{name}-{row.number:07d}",
        "task": row.task or TASK_NAMES[row.kind],
        "format": _format(row, answer, options),
        "scene": row.scene,
        "images": [f"images/{path}" for path in images],
        "question": question,
        "answer": answer,
        "options": list(options) if options else None,
        "marks": [mark.to_json() for mark in row.marks],
        "facts": {
            "kind": kind,
            "value": value,
            "frames": [Path(path).stem for path in images],
            "objects": {},
            "labels": {},
            "release": {"file": name, "number": row.number, **_kept(row.fields)},
        },
        "seed": 0,
        "version": __version__,
    }


def plain_question(text: str) -> str:
    """A question without the places of pictures and the names before them.

    >>> plain_question("Frame-0: <image>Frame-1: <image>\\nWhere is it?")
    'Where is it?'
    """
    head, found, rest = text.rpartition(IMAGE)
    if found and not head.replace(IMAGE, "").replace("Frame-", "").strip("0123456789: \n"):
        text = rest
    return text.replace(IMAGE, "").replace(VIDEO, "").strip()


def _typed(row: ReleasedRow, answer: str, num_images: int, convention: EulerConvention) -> tuple[str, Any, str]:
    """Kind and value of an answer, in the words of our facts, and the answer with ZXY angles."""
    if row.kind == "grounding" and (boxes := read_grounding(answer, num_images, convention=convention).found):
        box = boxes[0].to("ZXY")
        return "box3d", [box.frame, *box.values], answer if convention == "ZXY" else grounding_answer(box)
    if row.kind == "detection":
        found = read_detections(answer, convention=convention).found
        labels, all_boxes = [one.label for one in found], [one.box.to("ZXY") for one in found]
        value = [{"label": k, "bbox_3d": list(box.values)} for k, box in zip(labels, all_boxes, strict=True)]
        return "boxes3d", value, answer if convention == "ZXY" else detection_answer(labels, all_boxes)
    return "text", answer, answer


def _convention_of(row: ReleasedRow) -> EulerConvention | None:
    answer = next(text for role, text in row.turns if role == "assistant")
    return likely_convention([one.box.values for one in read_detections(answer).found])


def _format(row: ReleasedRow, answer: str, options: tuple[str, ...] | None) -> str:
    if row.kind in ("captioning", "video", "chat"):
        return "sentence"
    if row.kind in ("grounding", "detection"):
        return "fill"
    if options and answer in "ABCD":
        return "select"
    if answer.rstrip(".") in ("Yes", "No"):
        return "judge"
    return "sentence" if answer.endswith(".") and " " in answer else "fill"


def _kept(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: fields[name] for name in _KEPT if fields.get(name) is not None}


def _place(images: list[str], media: Path, out: Path) -> int:
    """Put images where rows name them; how many are not there."""
    missing = 0
    for image in images:
        source, target = media / image.removeprefix("images/"), out / image
        if target.exists():
            continue
        if source.is_file():
            link_or_copy(source, target)
        else:
            missing += 1
    return missing
