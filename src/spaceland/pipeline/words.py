"""One line for each stage: what it did, how well, how long it took."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from spaceland.reconstruct.stages import StageResult


def describe(stage: StageResult) -> str:
    """A finished stage in words, such as `poses: 57 of 60 pictures posed, 0.62 px reprojection error; 24 s`."""
    say = {"keyframes": _keyframes, "poses": _poses, "depth": _depth, "scene": _scene, "objects": _objects}
    text = say[stage.name](stage.report) if stage.name in say else "done"
    time = f"{stage.seconds:.0f} s" if stage.made_now else "kept from an earlier run"
    return f"{stage.name}: {text}; {time} ({stage.folder})"


def _keyframes(report: Mapping[str, Any]) -> str:
    return f"{report.get('written', '?')} of {report.get('pictures', '?')} pictures chosen"


def _poses(report: Mapping[str, Any]) -> str:
    text = f"{report.get('posed', '?')} of {report.get('pictures', '?')} pictures posed"
    error = report.get("reprojection_error_px")
    return text if error is None else f"{text}, reprojection error {float(error):.2f} px"


def _depth(report: Mapping[str, Any]) -> str:
    share = float(report.get("filled_share", 0))
    return f"depth for {report.get('with_depth', '?')} of {report.get('views', '?')} views, {share:.0%} of the pixels"


def _scene(report: Mapping[str, Any]) -> str:
    floor = "level" if report.get("floor_found") else "no floor found"
    source = report.get("scale_source")
    unit = f"metres ({source})" if report.get("metric") else f"scale {source or 'unknown'}"
    return f"{int(report.get('vertices', 0)):,} vertices, {floor}, {unit}"


def _objects(report: Mapping[str, Any]) -> str:
    text = f"{report.get('objects', '?')} objects"
    if "detections" in report:
        text += f" from {report['detections']} detections"
    again = report.get("found_again")
    return f"{text}, {again} of them with the numbers that they had" if again else text
