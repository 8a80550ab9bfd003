"""Our rows in VG LLM's form, for its trainer: conversations with `<image>`, boxes as it writes them.

    out/train/grounding.json     rows of grounding_box
    out/train/detection.json     rows of detection and detection_window
    out/train/captioning.json    captions of datasets that hold some (read by `adopt`, or a user's own)
    out/media/images/...         the pictures; the trainer's `data_path` is out/media

`wording` "vgllm" asks in VG LLM's words; "own" keeps the row's question. Our detection rows name the labels whose
objects are all clear and list no others, which only their own wording says.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal

from spaceland.errors import SourceError
from spaceland.exchange.chat import JsonArray
from spaceland.exchange.dataset import Dataset, Pictures, Tally
from spaceland.exchange.folder import new_folder
from spaceland.geometry.box9 import EulerConvention
from spaceland.tasks3d.box9_frames import Box9
from spaceland.tasks3d.prompts import (
    IMAGE,
    Task,
    detection_answer,
    detection_prompt,
    grounding_answer,
    grounding_prompt,
)

Words = Literal["vgllm", "own"]
TASKS: dict[str, Task] = {
    "grounding_box": "grounding",
    "detection": "detection",
    "detection_window": "detection",
    "captioning": "captioning",
}
_OTHER_TASK = "no task of VG LLM's form"


def export_vgllm(
    folder: Path,
    out: Path,
    *,
    wording: Words = "vgllm",
    convention: EulerConvention = "ZXY",
    limit: int | None = None,
    progress: Callable[[int, str], None] | None = None,
) -> Tally:
    """Write a dataset folder in VG LLM's form.

    Args:
        folder: Dataset with rows.jsonl and images.
        out: New or empty folder.
        wording: Of the questions.
        convention: Of the angles.
        limit: Only the first so many rows.
        progress: Called as progress(1, scene) after each row.

    Raises:
        SceneError: the dataset is broken or an image missing.
        SourceError: it has no row of these tasks.
        OutputError: `out` is not empty or cannot be written.
    """
    dataset = Dataset(folder, limit)
    dataset.count()
    tally = Tally()
    with new_folder(out) as temporary:
        pictures = Pictures(dataset, temporary / "media", drawn=True)
        (temporary / "train").mkdir()
        with ExitStack() as stack:
            arrays: dict[Task, JsonArray] = {}
            for row in dataset.rows():
                task = TASKS.get(row["task"])
                given = None if task is None else released_row(row, task, wording, convention)
                if task is None or given is None:
                    tally.leave_out(f"{row['task']}: {_OTHER_TASK}")
                else:
                    if task not in arrays:
                        arrays[task] = stack.enter_context(JsonArray(temporary / "train" / f"{task}.json"))
                    arrays[task].write({**given, "images": pictures.place_all(row)})
                    tally.add(row)
                if progress:
                    progress(1, row["scene"])
        if not tally.total:
            raise SourceError(
                f"{folder} has no rows of {', '.join(TASKS)}; generate some with --tasks grounding_box ..."
            )
    return tally


def released_row(row: dict[str, Any], task: Task, wording: Words, convention: EulerConvention) -> dict[str, Any] | None:
    """A row of ours in VG LLM's form, without its images; None where its facts are not those of the task."""
    facts, num_images = row.get("facts", {}), len(row["images"])
    kind, value = facts.get("kind"), facts.get("value")
    own = f"{IMAGE}\n" * num_images + row["question"]
    meta = {"dataset": "spaceland", "task": task, "id": row["id"], "scene": row["scene"]}
    more: dict[str, Any] = {}
    if task == "grounding" and kind == "box3d":
        box = Box9(tuple(map(float, value[1:])), "ZXY", int(value[0])).to(convention)
        label = facts.get("labels", {}).get("red")
        if label is None:  # a row of VG LLM's own: its question is in these words already
            names = grounding_prompt("", num_images).partition("\n")[0]
            asked = f"{names}\n{row['question']}\n"
        else:
            asked = grounding_prompt(f"the {label}.", num_images)
        answer = grounding_answer(box)
        more = {"target": {"frame": box.frame, "bbox_3d": box.rounded()}}
    elif task == "detection" and kind == "boxes3d":
        boxes = [Box9(tuple(map(float, one["bbox_3d"])), "ZXY", 0).to(convention) for one in value]
        labels = [str(one["label"]) for one in value]
        asked, answer = detection_prompt(num_images), detection_answer(labels, boxes)
        more = {"boxes": [{"bbox_3d": list(b.values), "label": name} for b, name in zip(boxes, labels, strict=True)]}
    elif task == "captioning":
        asked, answer = f"{IMAGE * num_images}\n{row['question']}", row["answer"]
    else:
        return None
    turns = [
        {"from": "human", "value": own if wording == "own" and task != "captioning" else asked},
        {"from": "gpt", "value": answer},
    ]
    return {"conversations": turns, "images": [], "metadata": meta, **more}
