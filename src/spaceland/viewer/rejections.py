"""The rules of the ambiguity policy at work: how many candidates each turned down, with an example of it.

An example shows what the candidate would have been about: its pictures with a coloured point on every object, where the
dataset holds them, else a plan of the room; the objects' labels, the frames, and the number that broke the rule where
there is one. Reasons that are about no candidate, such as too few frames for a video, say so: "<scene> as a whole".
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spaceland.datasets.rows import image_path
from spaceland.questions.marks import COLORS, Mark
from spaceland.viewer.html import Html, join, number, table, tag
from spaceland.viewer.pictures import thumbnail
from spaceland.viewer.plan import numbers
from spaceland.viewer.topview import top_view

_THUMB_PX = 150
_MAX_PICTURES = 3


def rejections_section(info: Mapping[str, Any], folder: Path) -> Html:
    """A table for each task, and one for single views; `folder` is that of the dataset."""
    rejections, examples = info.get("rejections"), info.get("rejection_examples")
    scenes = info.get("scenes")
    parts = []
    for name, reasons in rejections.items() if isinstance(rejections, dict) else ():
        counts = {str(k): v for k, v in reasons.items() if isinstance(v, int)} if isinstance(reasons, dict) else {}
        if not counts:
            continue
        found = _entry(_entry(examples, name), None)
        ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        rows = [[reason, count, _example(_first(found.get(reason)), scenes, folder)] for reason, count in ordered]
        note = "single objects in single frames, for all tasks" if name == "views" else None
        heading = tag("summary", tag("span", name, class_="mono"), f": {len(rows)} reasons, {sum(counts.values()):,}")
        parts.append(
            tag(
                "details",
                heading,
                tag("p", note, class_="soft small") if note else None,
                table(["reason", "count", "an example"], rows),
                class_="reasons",
                open=not parts,
            )
        )
    text = (
        "What the ambiguity policy turned down, by reason, with one candidate of each. A task stops looking when it "
        "has enough facts."
        if parts
        else "Nothing was rejected."
        if isinstance(rejections, dict)
        else "Unknown: info.json is missing or does not say."
    )
    return tag("section", tag("h2", "Rejections"), tag("p", text, class_="soft"), parts, id="rejections")


def _entry(mapping: Any, key: str | None) -> Mapping[str, Any]:
    """An entry of an object (or the object itself), empty when it is something else."""
    value = mapping.get(key) if key is not None and isinstance(mapping, dict) else mapping
    return value if isinstance(value, dict) else {}


def _first(found: Any) -> Mapping[str, Any]:
    return _entry(found[0] if isinstance(found, list) and found else None, None)


def _texts(value: Any) -> list[str]:
    return [str(entry) for entry in value] if isinstance(value, list) else []


def _example(example: Mapping[str, Any], scenes: Any, folder: Path) -> Html:
    if not example:
        return tag("div", "none was kept", class_="soft small")
    scene = str(example.get("scene", ""))
    frames = _texts(example.get("frames"))[:_MAX_PICTURES]
    objects = example.get("objects")
    objects = [thing for thing in objects if isinstance(thing, dict)] if isinstance(objects, list) else []
    shown = _pictures(example, scene, frames, folder)
    if not shown:
        plan = _plan(objects, _entry(scenes, scene) if scene else {})
        shown = [plan] if plan else []
    names = [_name(k, thing) for k, thing in enumerate(objects)]
    value = numbers([example.get("value")], 1)
    words = [scene] if objects or frames else [f"{scene} as a whole"]
    if frames:
        count = example.get("num_frames")
        more = f" of {count} frames" if isinstance(count, int) and count > len(frames) else ""
        words.append(f"frame {', '.join(frames)}{more}")
    if value:
        words.append(f"value {number(value[0], 3)}")
    text = tag("div", join([(name, ", ") for name in names[:-1]], names[-1:]), tag("br") if names else None)
    return join(
        tag("div", shown, class_="examples") if shown else None, text, tag("div", "; ".join(words), class_="soft small")
    )


def _name(index: int, thing: Mapping[str, Any]) -> Html:
    label = str(thing.get("label", ""))
    colors = list(COLORS)
    return tag("span", label, class_=f"mark k-{colors[index]}" if index < len(colors) else None)


def _pictures(example: Mapping[str, Any], scene: str, frames: list[str], folder: Path) -> list[Html]:
    """The frames with a point on every object; none unless the dataset holds all of them."""
    marks = example.get("marks")
    marks = [mark for mark in marks if isinstance(mark, dict)] if isinstance(marks, list) else []
    colors: list[Any] = list(COLORS)
    shown = []
    for frame in frames if example.get("pictured") is True else []:
        drawn = []
        for mark in marks:
            at, index = numbers(mark.get("xy"), 2), mark.get("object")
            if mark.get("frame") == frame and at and isinstance(index, int) and 0 <= index < len(colors):
                drawn.append(Mark(colors[index], "point", 0, 0, (int(at[0]), int(at[1])), 0.045))
        picture = thumbnail(folder, image_path(scene, frame), drawn, _THUMB_PX)
        if not picture.uri:
            return []
        shown.append(tag("img", src=picture.uri, width=picture.width, height=picture.height, alt=f"frame {frame}"))
    return shown


def _plan(objects: list[dict[str, Any]], scene: Mapping[str, Any]) -> Html | None:
    """The room from above with the candidate's objects in their colours."""
    places = dict(zip(COLORS, objects, strict=False))
    facts = {
        "centers_world_m": {color: thing.get("center") for color, thing in places.items()},
        "labels": {color: str(thing.get("label", "")) for color, thing in places.items()},
    }
    return top_view({"facts": facts, "task": ""}, scene, width=130) if objects else None
