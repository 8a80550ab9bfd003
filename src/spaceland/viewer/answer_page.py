"""One page for one answer: the question, what the model said, the pictures with the named objects, boxes in metres.

The page holds its pictures, so it can be sent as it is. Question, labels and the model's words are text from outside
and go through `tag`, which escapes them.
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from spaceland.asking.evidence import Evidence, color_of
from spaceland.asking.request import show_request
from spaceland.asking.templates import object_id
from spaceland.files import write_text
from spaceland.viewer.html import Child, Html, join, number, page, table, tag

_UNDERSTOOD = {
    "objects": "The answer names numbered objects.",
    "none": "The answer says that there is no such object.",
    "unknown objects": "The answer names only numbers that no object carries.",
    "number": "The answer states a number.",
    "no object named": "The answer names no numbered object, so there is none to show.",
}


def write_answer_page(evidence: Evidence, name: str = "answer.html") -> Path:
    """Write the page beside `answer.json`; returns its path."""
    record = evidence.record
    sections: list[Child] = [_answer(record), _objects(record), _pictures(evidence), _sent(evidence)]
    body = join(
        tag("header", tag("div", tag("div", _head(record)), class_="wrap"), class_="hero"),
        tag("main", sections, class_="wrap"),
        tag("footer", f"Made by spaceland {record['version']}.", class_="wrap"),
    )
    path = evidence.folder / name
    write_text(path, page(f"Answer: {record['text'] or record['question']}"[:120], body))
    return path


def _head(record: dict[str, Any]) -> list[Child]:
    facts = {"scene": record["scene"], "model": record["model"], "task": record["task"], "geometry": record["geometry"]}
    return [
        tag("div", "spaceland", class_="brand"),
        tag("h1", record["text"] or record["question"]),
        tag("dl", [[tag("dt", key), tag("dd", str(value))] for key, value in facts.items()], class_="meta"),
    ]


def _answer(record: dict[str, Any]) -> Html:
    notes: list[Child] = [tag("p", _UNDERSTOOD[record["understood"]], class_="soft")]
    if record["number"] is not None:
        unit = " m" if record["task"] == "distance" else ""
        notes.append(tag("p", f"Number read: {number(float(record['number']))}{unit}", class_="soft"))
    if not record["complete"]:
        notes.append(tag("p", tag("b", "The answer is cut off: it reached the limit of tokens.")))
    if record["unknown_ids"]:
        numbers = ", ".join(record["unknown_ids"])
        notes.append(tag("p", tag("b", f"Numbers in it that no object carries: {numbers}")))
    if not record["scale_known"]:
        notes.append(tag("p", tag("b", "The scale of this scene is unknown: lengths are not metres.")))
    said = tag("p", tag("b", record["answer"], class_="long"), class_="answer question")
    return tag("section", tag("h2", "Answer"), said, notes)


def _objects(record: dict[str, Any]) -> Html | None:
    if not record["objects"]:
        return None
    rows: list[list[Child]] = []
    for order, thing in enumerate(record["objects"]):
        center, size = ([number(v) for v in thing[key]] for key in ("center_m", "size_m"))
        rows.append(
            [
                tag("span", object_id(thing["mark"]), class_="mark keep", style=f"--c:{_css(order)}"),
                thing["label"],
                ", ".join(center),
                " x ".join(size),
                str(len(thing["frames"])),
            ]
        )
    unit = "m" if record["scale_known"] else "unknown unit"
    head = ["object", "label", f"centre x, y, z ({unit})", f"length x width x height ({unit})", "frames"]
    return tag("section", tag("h2", "Named objects"), table(head, rows))


def _pictures(evidence: Evidence) -> Html | None:
    if not evidence.pictures:
        return None
    figures = []
    for picture in evidence.pictures:
        data = base64.b64encode((evidence.folder / picture.path).read_bytes()).decode()
        kind = "png" if picture.path.endswith(".png") else "jpeg"
        where = f"frame {picture.frame}" if picture.frame else "bird's-eye view"
        who = ", ".join(object_id(mark) for mark in picture.marks)
        image = tag("img", src=f"data:image/{kind};base64,{data}", alt=f"{where} with {who}")
        figures.append(tag("figure", image, tag("figcaption", f"{where}: {who}")))
    note = "A line is the edge of an object's box in 3D, also where something hides it."
    gallery = tag("div", figures, class_="gallery lead")
    return tag("section", tag("h2", "Evidence"), tag("p", note, class_="soft"), gallery)


def _sent(evidence: Evidence) -> Html:
    request = show_request(evidence.answer.request.messages)
    usage = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in evidence.record["usage"].items())
    return tag(
        "section",
        tag("h2", "What was sent"),
        tag("p", f"Counted by the server: {usage}" if usage else "The server counted no tokens.", class_="soft"),
        tag("details", tag("summary", "The whole request"), tag("pre", request)),
    )


def _css(order: int) -> str:
    return "#" + "".join(f"{c:02x}" for c in color_of(order))
