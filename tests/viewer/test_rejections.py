"""Examples of rejections on the report: pictures with points where the dataset has them, plans where not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from page_reader import HOSTILE, Reader, changed

from spaceland.viewer.rejections import rejections_section
from spaceland.viewer.report import build_report


def info_of(dataset: Path) -> dict[str, Any]:
    return json.loads((dataset / "info.json").read_text())


def test_every_pictured_example_is_drawn(dataset: Path) -> None:
    info = info_of(dataset)
    html = str(rejections_section(info, dataset))
    examples = [found[0] for reasons in info["rejection_examples"].values() for found in reasons.values()]
    assert len(examples) > 20
    expected = sum(len(example["frames"]) for example in examples if example["pictured"])
    assert html.count("data:image/jpeg") == expected > 20
    for example in examples:
        for thing in example["objects"]:
            assert thing["label"] in html


def test_examples_name_what_was_rejected(dataset: Path) -> None:
    """Each has a scene of the dataset, objects of that scene, and marks in its frames."""
    info = info_of(dataset)
    for reasons in info["rejection_examples"].values():
        for found in reasons.values():
            assert 1 <= len(found) <= 2
            for example in found:
                labels = {entry[2] for entry in info["scenes"][example["scene"]]["objects"]}
                assert {thing["label"] for thing in example["objects"]} <= labels
                assert {mark["frame"] for mark in example["marks"]} <= set(example["frames"])
                assert len(example["frames"]) <= 3 and example["num_frames"] >= len(example["frames"])


def test_nearly_every_reason_has_an_example(dataset: Path) -> None:
    info = info_of(dataset)
    counted = {(task, reason) for task, reasons in info["rejections"].items() for reason in reasons}
    shown = {(task, reason) for task, reasons in info["rejection_examples"].items() for reason in reasons}
    assert len(counted) > 60
    assert shown <= counted and len(counted - shown) <= 1


def test_without_pictures_there_is_a_plan(dataset: Path) -> None:
    info = info_of(dataset)
    for reasons in info["rejection_examples"].values():
        for found in reasons.values():
            for example in found:
                example["pictured"] = False
    html = str(rejections_section(info, dataset))
    assert "data:image" not in html and html.count("<svg") > 10


def test_reasons_of_whole_scenes_say_so(dataset: Path) -> None:
    told = {"scene": "roomA", "frames": [], "num_frames": 0, "objects": [], "marks": [], "value": 3, "pictured": False}
    info = info_of(dataset)
    info["rejections"] = {"obj_count": {"fewer than 32 frames": 1, "an old reason": 4}}
    info["rejection_examples"] = {"obj_count": {"fewer than 32 frames": [told]}}
    text = Reader(str(rejections_section(info, dataset))).text
    assert "roomA as a whole; value 3" in text
    assert text.count("none was kept") == 1


ODD = [None, 3, "x", [], [1], [[]], {}, {"a": 1}, [{"frames": 3, "objects": [4], "marks": 5}]]
KEYS = ("scene", "frames", "objects", "marks", "value", "num_frames")


@pytest.mark.parametrize("value", ODD)
def test_odd_examples_are_no_crash(dataset: Path, value: Any) -> None:
    info = info_of(dataset)
    rejections = info["rejections"]
    for examples in (
        value,
        {task: dict.fromkeys(reasons, value) for task, reasons in rejections.items()},
        {task: {reason: [dict.fromkeys(KEYS, value)] for reason in reasons} for task, reasons in rejections.items()},
    ):
        assert rejections_section({**info, "rejection_examples": examples}, dataset)


@pytest.mark.parametrize("hostile", [*HOSTILE, "../../secret"])
def test_hostile_examples_are_text(dataset: Path, tmp_path: Path, hostile: str) -> None:
    out = changed(dataset, tmp_path / "d", lambda row: None)
    info = info_of(out)
    example = {
        "scene": hostile,
        "frames": [hostile, "../" + hostile],
        "num_frames": 2,
        "objects": [{"label": hostile, "center": [1, 1, 1]}],
        "marks": [{"frame": hostile, "object": 0, "xy": [500, 500]}],
        "value": 1.5,
        "pictured": True,
    }
    info["rejections"] = {"views": {hostile: 3}}
    info["rejection_examples"] = {"views": {hostile: [example]}}
    (out / "info.json").write_text(json.dumps(info))
    html, _, _ = build_report(out, per_task=1)
    part = html[html.index('id="rejections"') : html.index('id="samples"')]
    assert "<script" not in part and "data:image" not in part
    assert hostile in Reader(part).text
