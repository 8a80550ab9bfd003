"""Rows of a made-up dataset, for the tests of reviews."""

from __future__ import annotations

from typing import Any


def make_row(number: int, task: str = "depth_prediction_oc") -> dict[str, Any]:
    return {
        "id": f"{task}-{number}",
        "task": task,
        "format": "fill",
        "scene": "roomA",
        "images": ["images/roomA/000000.jpg"],
        "question": f"How deep is the lamp (red point) number {number}?",
        "answer": f"{number}.5",
        "options": None,
        "marks": [{"color": "red", "shape": "point", "object_id": 1, "image_index": 0, "xy": [500, 500], "size": 0.02}],
        "facts": {"kind": "number", "value": number, "objects": {"red": 1}, "labels": {"red": "lamp"}, "values": {}},
        "seed": 0,
        "version": "0",
    }
