"""One row as a card: pictures with marks, the question, the answer, the plan, and every number behind it.

What gives the answer away carries the class `secret`, so the page can hide it and ask its reader. Overlays (the box
that is searched, the place where a counted thing is seen) are vectors over the picture; the marks that belong to the
question are drawn into it by the same function that every other use of a row calls.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spaceland.errors import SceneError
from spaceland.questions.marks import COLORS
from spaceland.questions.phrasing import LETTERS
from spaceland.viewer.html import Html, join, number, tag
from spaceland.viewer.pictures import SHEET_COLUMNS, Picture, contact_sheet, row_marks, thumbnail
from spaceland.viewer.plan import numbers, read_cameras
from spaceland.viewer.plan_answer import legend
from spaceland.viewer.topview import top_view

_MARK_WORD = re.compile(rf"\(({'|'.join(COLORS)}) (point|bounding box)\)")
_MAX_SINGLE = 3
_UNITS = {"m2": "m\N{SUPERSCRIPT TWO}", "m": "m", "cm": "cm"}


@dataclass
class Gallery:
    """Pictures of a page. Contact sheets are embedded once, however many cards show them; problems are collected."""

    folder: Path
    sheets: dict[tuple[str, ...], tuple[str, Picture]] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)

    def single(self, row: Mapping[str, Any], index: int) -> Picture:
        """One image of a row with its marks."""
        try:
            marks = row_marks(row, index)
        except SceneError as error:
            self.problems[str(row["id"])] = str(error)
            marks = ()
        picture = thumbnail(self.folder, row["images"][index], marks)
        if picture.problem:
            self.problems[row["images"][index]] = picture.problem
        return picture

    def sheet(self, names: list[str]) -> tuple[str, Picture]:
        """The contact sheet of a video, and the id under which the page holds it."""
        key = tuple(names)
        if key not in self.sheets:
            picture = contact_sheet(self.folder, names)
            if picture.problem:
                self.problems[names[0]] = picture.problem
            self.sheets[key] = (f"sheet-{len(self.sheets) + 1}", picture)
        return self.sheets[key]

    def definitions(self) -> Html:
        """The embedded contact sheets; goes into the page once."""
        images = [
            tag("image", id=name, href=picture.uri, width=picture.width, height=picture.height)
            for name, picture in self.sheets.values()
            if picture.uri
        ]
        hidden = {"width": 0, "height": 0, "aria-hidden": "true", "style": "position:absolute"}
        return tag("svg", tag("defs", images), attributes=hidden) if images else Html("")


def card(row: Mapping[str, Any], scene: Mapping[str, Any], gallery: Gallery) -> Html:
    """The card of one row."""
    many = len(row["images"]) > 1
    plan = top_view(row, scene)
    return tag(
        "article",
        tag(
            "header",
            tag("span", row["format"], class_="pill"),
            tag("span", row["scene"]),
            tag("span", row["id"], class_="mono"),
        ),
        _pictures(row, gallery),
        tag("div", _question(row), _values(row), class_="words"),
        tag("figure", plan, tag("figcaption", _plan_caption(row)), class_="plan") if plan else None,
        _details(row),
        class_=f"card {'many' if many else 'one'}",
        id=row["id"],
        data_task=row["task"],
        data_format=row["format"],
    )


def _pictures(row: Mapping[str, Any], gallery: Gallery) -> Html:
    names = row["images"]
    if len(names) > _MAX_SINGLE:
        name, sheet = gallery.sheet(names)
        return tag(
            "div", tag("figure", _sheet(row, name, sheet), tag("figcaption", f"{len(names)} frames")), class_="pictures"
        )
    figures = []
    for index in range(len(names)):
        picture = gallery.single(row, index)
        caption = f"image {index + 1} of {len(names)}" if len(names) > 1 else None
        overlay = _box_overlay(row, picture, index) if picture.uri else None
        shown = tag("img", src=picture.uri, width=picture.width, height=picture.height, alt=f"image {index + 1}")
        body = tag("div", shown, overlay, class_="frame") if picture.uri else _missing(picture)
        figures.append(tag("figure", body, tag("figcaption", caption) if caption else None))
    return tag("div", figures, class_="pictures pair" if len(names) > 1 else "pictures")


def _missing(picture: Picture) -> Html:
    return tag("div", f"no picture: {picture.problem}", class_="missing")


def _sheet(row: Mapping[str, Any], name: str, sheet: Picture) -> Html:
    """A contact sheet, with a ring where each counted object is seen."""
    if not sheet.uri:
        return _missing(sheet)
    frames, rings = row["facts"]["frames"], []
    tile_w = sheet.width / SHEET_COLUMNS
    tile_h = sheet.height / -(-len(row["images"]) // SHEET_COLUMNS)
    seen = row["facts"]["values"].get("seen_at")
    for object_id, place in seen.items() if isinstance(seen, dict) else ():
        at = numbers(place[1:], 2) if isinstance(place, list) and place and place[0] in frames else None
        if at:
            line, column = divmod(frames.index(place[0]), SHEET_COLUMNS)
            x, y = (column + at[0] / 1000) * tile_w - 1, (line + at[1] / 1000) * tile_h - 1
            rings.append(tag("circle", tag("title", f"object {object_id}"), cx=x, cy=y, r=9, class_="o-seen"))
    view = {"viewBox": f"0 0 {sheet.width} {sheet.height}", "role": "img", "aria-label": f"{len(row['images'])} frames"}
    return tag(
        "div",
        tag("svg", tag("use", href=f"#{name}"), tag("g", rings, class_="secret"), attributes=view),
        class_="frame strip",
    )


def _box_overlay(row: Mapping[str, Any], picture: Picture, index: int) -> Html | None:
    """The box that is searched for, over its image; for matching, whose second image has it, wrong options as well."""
    kind, value = row["facts"].get("kind"), row["facts"].get("value")
    right = None
    if kind == "box" and index == 1:
        right = numbers(value, 4)
    elif kind == "found" and isinstance(value, list) and value[:1] == [index]:
        right = numbers(value[1:], 4)
    if right is None:
        return None
    # The viewBox has the picture's own shape, so that letters are not stretched.
    width, height = 1000.0, 1000.0 * picture.height / picture.width
    options = [_read_box(option) for option in row.get("options") or []] if kind == "box" else []
    parts = []
    for letter, box in zip(LETTERS, options, strict=False):
        if box is not None and box != right:
            parts += [_rectangle(box, height, "o-wrong"), _letter(box, height, letter)]
    place = next((letter for letter, box in zip(LETTERS, options, strict=False) if box == right), "")
    parts += [_rectangle(right, height, "o-right"), _letter(right, height, place) if place else None]
    view = {"viewBox": f"0 0 {number(width)} {number(height)}", "preserveAspectRatio": "none", "aria-hidden": "true"}
    return tag("svg", parts, attributes=view, class_="over secret")


def _read_box(text: object) -> tuple[float, ...] | None:
    return numbers([int(part) for part in re.findall(r"\d{1,4}", str(text))], 4)


def _rectangle(box: tuple[float, ...], height: float, kind: str) -> Html:
    k = height / 1000
    return tag("rect", x=box[0], y=box[1] * k, width=box[2] - box[0], height=(box[3] - box[1]) * k, class_=kind)


def _letter(box: tuple[float, ...], height: float, letter: str) -> Html:
    return tag("text", letter, x=box[0] + 10, y=box[1] * height / 1000 + 40, font_size=40, class_="o-text")


def _question(row: Mapping[str, Any]) -> Html:
    """Question, options with the right one marked, and the answer."""
    text, options = row["question"], row.get("options") or []
    if options:
        listed = "".join(f"\n{letter}. {option}" for letter, option in zip(LETTERS, options, strict=False))
        text = text.removesuffix(listed)
    items = [
        tag("li", tag("b", letter), tag("span", option), class_="right" if letter == row["answer"] else None)
        for letter, option in zip(LETTERS, options, strict=False)
    ]
    # Long lists may break after their commas and nowhere else.
    pieces = [(part, tag("wbr")) for part in re.split(r"(?<=,)(?=\S)", row["answer"])]
    answer = tag("b", pieces, class_="long" if row["format"] == "sentence" else None)
    unit = _UNITS.get(str(row["facts"].get("unit"))) if row["format"] == "fill" else None
    return join(
        tag("p", mark_words(text), class_="question"),
        tag("ol", items, class_="options") if items else None,
        None if items else tag("p", answer, f" {unit}" if unit else None, class_="answer secret"),
    )


def mark_words(text: str) -> Html:
    """A question's text with "(red point)" and the like shown in their colour.

    >>> mark_words("the <b> (red point)")[:12]
    'the &lt;b&gt'
    """
    parts: list[Any] = []
    start = 0
    for found in _MARK_WORD.finditer(text):
        color, shape = found.groups()
        word = tag("span", f"{color} {shape}", class_=f"mark {shape.split()[-1]} k-{color}")
        parts += [text[start : found.start()], tag("span", "(", word, ")", class_="keep")]
        start = found.end()
    return join(parts, text[start:])


def _values(row: Mapping[str, Any]) -> Html:
    """The numbers that the answer comes from, in words."""
    entries = []
    for name, value in row["facts"]["values"].items():
        shown = _short(name, value)
        if shown is not None:
            entries += [tag("dt", _words(name)), tag("dd", shown, class_="secret")]
    return tag("dl", entries, class_="values") if entries else Html("")


def _short(name: str, value: Any) -> str | None:
    unit = next(
        (
            u
            for end, u in (("_m", " m"), ("_m2", " m\N{SUPERSCRIPT TWO}"), ("_deg", "\N{DEGREE SIGN}"))
            if name.endswith(end)
        ),
        "",
    )
    if isinstance(value, bool | str):
        return str(value)
    if isinstance(value, int | float):
        return f"{number(value, 3)}{unit}" if abs(value) < 1e12 else str(value)
    if isinstance(value, list) and 0 < len(value) <= 6 and all(isinstance(v, int | float | str) for v in value):
        return ", ".join(v if isinstance(v, str) else number(v, 3) for v in value)
    return None


def _words(name: str) -> str:
    return re.sub(r"_(m|m2|deg|px)$", "", name).replace("_", " ")


def _plan_caption(row: Mapping[str, Any]) -> Html:
    views = ", 1 and 2 are the views" if len(read_cameras(row["facts"])) > 1 else ""
    answer = legend(row)
    return join(f"from above, 1 m squares{views}", tag("span", f"; {answer}", class_="secret") if answer else None)


def _details(row: Mapping[str, Any]) -> Html:
    """Facts, marks and provenance as JSON, one entry a line."""
    facts = {key: value for key, value in row["facts"].items() if value not in ({}, [], None)}
    lines = [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in facts.items()]
    lines += [f"mark: {json.dumps(mark, ensure_ascii=False)}" for mark in row.get("marks") or []]
    lines += [f"seed: {row.get('seed')}", f"version: {row.get('version')}"]
    return tag("details", tag("summary", "Everything behind this row"), tag("pre", "\n".join(lines)))
