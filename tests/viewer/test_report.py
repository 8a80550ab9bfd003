"""The report page: what it shows, what it refuses, and what cannot get out of it."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from page_reader import HOSTILE, Reader, cards, changed

from spaceland.cli import run
from spaceland.datasets.rows import read_rows
from spaceland.errors import OutputError, SceneError
from spaceland.viewer.cards import mark_words
from spaceland.viewer.html import escape
from spaceland.viewer.report import build_report, task_note, write_report
from spaceland.viewer.style import SCRIPT
from spaceland.viewer.summary import summarise


def test_shows_every_task_and_format(dataset: Path) -> None:
    html, summary, problems = build_report(dataset, per_task=4)
    rows = list(read_rows(dataset / "rows.jsonl"))
    assert summary.rows == len(rows)
    assert not problems
    for task, formats in json.loads((dataset / "info.json").read_text())["tasks"].items():
        assert len(summary.samples[task]) == min(4, sum(formats.values()))
        assert {row["format"] for row in summary.samples[task]} == set(formats)
        assert task_note(task) and escape(task_note(task)) in html
        assert "setups" not in task_note(task)
    assert len(cards(html)) == sum(map(len, summary.samples.values()))
    assert html.count('class="plan"') == len(cards(html))


def test_cards_say_what_the_rows_say(dataset: Path) -> None:
    html, summary, _ = build_report(dataset, per_task=6)
    by_id = {row["id"]: row for rows in summary.samples.values() for row in rows}
    for card in cards(html):
        found = re.search(r'<article class="[^"]*" id="([^"]+)"', card)
        assert found is not None
        row = by_id[found[1]]
        text = Reader(card).text
        stem = row["question"].splitlines()[0]
        assert stem in text
        if row["format"] == "select":
            right = re.findall(r'<li class="right"><b>(.)</b><span>(.*?)</span>', card)
            assert right == [(row["answer"], row["options"]["ABCD".index(row["answer"])])]
            last = f"{'ABCD'[len(row['options']) - 1]}. {row['options'][-1]}"
            assert text.count(last) == 0, "options are not repeated in the question"
        else:
            assert row["answer"] in text
        assert card.count("<img") == (len(row["images"]) if len(row["images"]) <= 3 else 0)
        assert json.dumps(row["facts"]["values"], ensure_ascii=False) in text


def test_counts_and_rejections_are_those_of_the_dataset(dataset: Path) -> None:
    html, summary, _ = build_report(dataset, per_task=1)
    info = json.loads((dataset / "info.json").read_text())
    rejections = html[html.index('id="rejections"') :]
    for reasons in info["rejections"].values():
        for reason, count in reasons.items():
            assert f'<td>{reason}</td><td class="num">{count}</td>' in rejections
    letters = sum(task.letters.total() for task in summary.tasks.values())
    assert letters == sum(info["letters"].values())
    facts = {
        (r["task"], r["scene"], *r["images"], *r["facts"]["objects"].values())
        for r in read_rows(dataset / "rows.jsonl")
    }
    assert sum(task.facts for task in summary.tasks.values()) == len(facts)


def test_same_bytes_wherever_it_lies(dataset: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "a.html", tmp_path / "deep" / "b.html"
    copy = tmp_path / "elsewhere"
    shutil.copytree(dataset, copy)
    (copy / "images" / "roomA").rename(copy / "images" / "gone")
    write_report(dataset, first, per_task=3)
    write_report(dataset, second, per_task=3)
    assert first.read_bytes() == second.read_bytes()
    assert str(tmp_path) not in build_report(copy)[0]
    assert build_report(dataset, per_task=3, seed=1)[0] != first.read_text()


def test_samples_do_not_depend_on_the_order_of_rows(dataset: Path) -> None:
    rows = list(read_rows(dataset / "rows.jsonl"))
    forward = summarise(map(dict, rows), per_task=3, seed=0)
    backward = summarise(map(dict, rows[::-1]), per_task=3, seed=0)
    for task, samples in forward.samples.items():
        assert [row["id"] for row in samples] == [row["id"] for row in backward.samples[task]]


def test_nothing_outside_is_asked_for(dataset: Path) -> None:
    html, _, _ = build_report(dataset, per_task=2)
    for _, attributes in Reader(html).tags:
        for name in ("src", "href", "xlink:href", "action", "data"):
            value = attributes.get(name)
            assert value is None or value.startswith(("data:image/jpeg;base64,", "#"))
    assert "http:" not in html and "https:" not in html and "@import" not in html


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_text_is_text(dataset: Path, tmp_path: Path, hostile: str) -> None:
    def spoil(row: dict[str, Any]) -> None:
        row["question"] = f"{hostile} {row['question']}"
        row["answer"] = hostile if row["format"] != "select" else row["answer"]
        row["options"] = row["options"] and [hostile, *row["options"][1:]]
        row["scene"] = row["facts"]["template"] = hostile
        row["id"] += hostile
        row["facts"]["labels"] = dict.fromkeys(row["facts"]["labels"], hostile)
        row["facts"]["values"][hostile] = hostile

    out = changed(dataset, tmp_path / "d", spoil)
    info = json.loads((out / "info.json").read_text())
    scene = info["scenes"].pop("roomA")
    scene["objects"] = [[*entry[:2], hostile, *entry[3:]] for entry in scene["objects"]]
    info["scenes"][hostile] = scene
    info["sources"] = info["version"] = [hostile]
    info["rejections"][hostile] = {hostile: 3}
    info["config"][hostile] = hostile
    (out / "info.json").write_text(json.dumps(info))
    html, _, _ = build_report(out, per_task=2)
    read = Reader(html)
    assert [name for name, _ in read.tags].count("script") == 1
    assert html.count("<script") == 1 and html.count("</script") == 1
    assert f"<script>{SCRIPT}</script>" in html
    assert not [name for _, attributes in read.tags for name in attributes if name.startswith("on")]
    clean = {name for name, _ in Reader(build_report(dataset, per_task=2)[0]).tags}
    assert {name for name, _ in read.tags} <= clean
    assert hostile in read.text


def test_text_that_cannot_be_encoded(dataset: Path, tmp_path: Path) -> None:
    def spoil(row: dict[str, Any]) -> None:
        row["question"] = "\ud800 lone \x00" + row["question"]

    write_report(changed(dataset, tmp_path / "d", spoil), per_task=1).path.read_text(encoding="utf-8")


def test_pictures_that_are_missing_or_elsewhere_are_named(dataset: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.jpg"
    shutil.copy(next((dataset / "images" / "roomA").iterdir()), secret)

    def spoil(row: dict[str, Any]) -> None:
        row["images"][0] = {"roomA": "../secret.jpg", "roomB": "images/none.jpg"}[row["scene"]]

    out = changed(dataset, tmp_path / "d", spoil)
    html, _, problems = build_report(out, per_task=4)
    assert problems["../secret.jpg"] == "../secret.jpg lies outside the dataset folder"
    assert problems["images/none.jpg"] == "missing file: images/none.jpg"
    assert "things could not be shown" in html
    (out / "rows.jsonl").write_text((out / "rows.jsonl").read_text().replace("../secret.jpg", str(secret)))
    assert all("outside" in text or "missing" in text for text in build_report(out, per_task=4)[2].values())


def test_broken_marks_are_named(dataset: Path, tmp_path: Path) -> None:
    def spoil(row: dict[str, Any]) -> None:
        for mark in row["marks"]:
            mark["color"] = "<b>"

    html, _, problems = build_report(changed(dataset, tmp_path / "d", spoil), per_task=1)
    assert any("a mark is broken" in text for text in problems.values())
    assert "<b>'" not in html


def test_without_info(dataset: Path, tmp_path: Path) -> None:
    out = changed(dataset, tmp_path / "d", lambda row: None)
    (out / "info.json").unlink()
    html, summary, problems = build_report(out, per_task=2)
    assert summary.rows and not problems
    assert "Unknown: info.json is missing" in html
    # Rows alone still give a plan: cameras and objects, but no floor.
    assert 'class="p-wedge"' in html and 'class="p-floor"' not in html


@pytest.mark.parametrize("value", [None, 3, "x", [], [1], {}, {"a": 1}])
def test_odd_types_are_no_crash(dataset: Path, tmp_path: Path, value: Any) -> None:
    keys = ("centers_world_m", "labels", "values", "params", "cameras", "frames", "value", "kind", "unit", "objects")

    def spoil(row: dict[str, Any]) -> None:
        row["facts"].update(dict.fromkeys(keys, value))
        row["options"], row["marks"] = value, []

    out = changed(dataset, tmp_path / "d", spoil)
    info = dict.fromkeys(("sources", "config", "scenes", "rejections", "version", "failed_scenes"), value)
    (out / "info.json").write_text(json.dumps(info))
    assert cards(build_report(out, per_task=1)[0])


def test_errors_name_what_is_wrong(dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(SceneError, match="spaceland generate"):
        build_report(tmp_path)
    (tmp_path / "rows.jsonl").write_text("")
    with pytest.raises(SceneError, match="no rows"):
        build_report(tmp_path)
    (tmp_path / "rows.jsonl").write_text('{"id": "a", "task": 3}\n')
    with pytest.raises(SceneError, match=r"row 1 \(a\): 'task' should be a str, found int"):
        build_report(tmp_path)
    (tmp_path / "rows.jsonl").write_text('{"id": "a"\n')
    with pytest.raises(SceneError, match="line 1: not valid JSON"):
        build_report(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        write_report(dataset, tmp_path / "file" / "report.html", per_task=1)


def test_command(dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "page.html"
    assert run(["report", str(dataset), "--out", str(out), "--per-task", "2"]) == 0
    said = capsys.readouterr().out
    assert " samples of " in said and str(out) in said and "Next: open" in said
    assert out.read_text().startswith("<!doctype html>")
    assert run(["report", str(tmp_path / "none")]) == 2
    assert "missing file" in capsys.readouterr().err


def test_mark_words_keep_the_text() -> None:
    text = "Where is the <b> (red bounding box) relative to the chair (blue point)? (green box"
    assert Reader(mark_words(text)).text == text
    assert mark_words(text).count("k-red") == mark_words(text).count("k-blue") == 1
