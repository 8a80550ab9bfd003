"""The audit on rows made for it: even rows pass, and everything uneven is found and named."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from spaceland.audit import Limits, audit_dataset
from spaceland.audit.audit import TaskAudit, _task_problems
from spaceland.audit.collect import collect, near_key, said_answer
from spaceland.audit.textonly import text_only_predictions
from spaceland.cli import run
from spaceland.errors import SceneError

LABELS = ("lamp", "chair", "table", "sofa", "plant", "shelf", "desk", "bed")
WORDS = ("left", "right", "above", "below", "closer", "farther", "front", "behind")


def row(number: int, format: str, **changes: Any) -> dict[str, Any]:
    """An even row: nothing in its text tells its answer."""
    rng = Random(number)
    scene, label, other = f"scene{number % 10:02d}", rng.choice(LABELS), rng.choice(LABELS)
    made: dict[str, Any] = {
        "id": f"{format}-{number}",
        "task": "depth_prediction_oc" if format == "fill" else "obj_spatial_relation_oo",
        "format": format,
        "scene": scene,
        "images": [f"images/{scene}/{number // 10:06d}.jpg"],
        "question": f"How is the {label} placed to the {other}?",
        "answer": "",
        "options": None,
        "marks": [],
        "facts": {"kind": "relation", "value": number, "objects": {"red": number}, "labels": {"red": label}},
    }
    if format == "select":
        made["options"] = rng.sample(WORDS, 4)
        made["answer"] = "ABCD"[number // 10 % 4]
        made["question"] += "".join(f"\n{x}. {o}" for x, o in zip("ABCD", made["options"], strict=True))
    elif format == "judge":
        made["answer"] = ("Yes", "No")[number // 10 % 2]
    else:
        made["answer"] = f"{rng.uniform(1, 6):.1f}"
        made["facts"] |= {"kind": "number", "value": rng.uniform(1, 6)}
    return {**made, **changes}


def dataset(folder: Path, rows: list[dict[str, Any]], **info: Any) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "rows.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    if info:
        (folder / "info.json").write_text(json.dumps(info))
    return folder


def even_rows(count: int = 400) -> list[dict[str, Any]]:
    return [row(k, format) for format in ("fill", "select", "judge") for k in range(count)]


def changed(format: str, change: Callable[[int, dict[str, Any]], None]) -> list[dict[str, Any]]:
    """Even rows of all formats, with those of one format changed."""
    rows = even_rows()
    for number, made in enumerate(r for r in rows if r["format"] == format):
        change(number, made)
    return rows


def test_even_rows_pass(tmp_path: Path) -> None:
    report = audit_dataset(dataset(tmp_path, even_rows()))
    assert report.problems == ()
    by_format = {task.format: task for task in report.tasks}
    assert by_format["select"].letters == dict.fromkeys("ABCD", 100)
    assert by_format["select"].chance == 25.0 and by_format["judge"].chance == 50.0
    assert by_format["select"].frequency == 25.0 and by_format["judge"].frequency == 50.0
    # 400 rows of chance 25: five standard deviations are 11.
    text_only = by_format["select"].text_only
    assert text_only is not None and 14 < text_only < 36
    assert report.rows == 1200 and report.scenes == 10
    assert report.images.images == 400 and report.images.most == 2


def letter(number: int, made: dict[str, Any]) -> None:
    made["answer"] = "A" if number % 10 < 4 else made["answer"]


def verdict(number: int, made: dict[str, Any]) -> None:
    made["answer"] = "Yes" if number % 5 < 3 else "No"


def telling_option(number: int, made: dict[str, Any]) -> None:
    k = "ABCD".index(made["answer"])
    made["options"] = [word if j != k else "left" for j, word in enumerate(("below", "above", "behind", "closer"))]


def telling_question(number: int, made: dict[str, Any]) -> None:
    made["question"] += " Surely." if made["answer"] == "Yes" else " Perhaps."


def telling_number(number: int, made: dict[str, Any]) -> None:
    value = 1.0 + number % 8
    made["question"], made["answer"] = f"How deep is the {LABELS[number % 8]}?", f"{value:.1f}"


def same_number(number: int, made: dict[str, Any]) -> None:
    made["answer"] = "2.0" if number % 2 else made["answer"]


@pytest.mark.parametrize(
    ("format", "change", "expected"),
    [
        ("select", letter, "of the right answers are A, at most 30.0%"),
        ("judge", verdict, "60.0% of the right answers are Yes, at most 56.0%"),
        ("select", telling_option, "the text-only baseline scores 100.0, at most 50.0"),
        ("judge", telling_question, "the text-only baseline scores 100.0, at most 65.0"),
        ("fill", telling_number, "the text-only baseline gains"),
        ("fill", same_number, "% of the answers are '2.0', at most 40.0%"),
    ],
)
def test_uneven_rows_are_named(
    tmp_path: Path, format: str, change: Callable[[int, dict[str, Any]], None], expected: str
) -> None:
    report = audit_dataset(dataset(tmp_path, changed(format, change)))
    assert any(expected in problem and f"/{format}:" in problem for problem in report.problems), report.problems
    assert all(f"/{format}:" in problem for problem in report.problems)


def test_two_options_are_even_at_one_half(tmp_path: Path) -> None:
    rows = [row(k, "select", options=["left", "right"], answer="AB"[k // 10 % 2]) for k in range(400)]
    assert audit_dataset(dataset(tmp_path, rows)).problems == ()


def test_few_rows_are_not_compared_with_shares(tmp_path: Path) -> None:
    rows = [row(k, "judge", answer="Yes") for k in range(30)]
    assert audit_dataset(dataset(tmp_path, rows)).ok
    assert not audit_dataset(tmp_path, Limits(min_rows=30)).ok


def test_duplicates(tmp_path: Path) -> None:
    rows = even_rows(40)
    exact = {**rows[0], "id": "again", "question": rows[0]["question"].upper()}
    other_words = {**rows[1], "id": "words", "question": "Say it once more."}
    report = audit_dataset(dataset(tmp_path, [*rows, exact, other_words]))
    assert report.duplicates == (("exact", "again", "fill-0"), ("near", "words", "fill-1"))
    assert [p for p in report.problems if "repeated" in p] and [p for p in report.problems if "ask the same" in p]
    assert audit_dataset(tmp_path, Limits(max_exact_duplicates=1, max_near_duplicates=1)).ok


def test_exchanged_objects_are_the_same_question_only_for_numbers() -> None:
    def asked(kind: str, value: Any, red: int, blue: int) -> str:
        facts = {"kind": kind, "value": value, "objects": {"red": red, "blue": blue}}
        return near_key(row(0, "fill", facts=facts))

    assert asked("number", 1.25, 3, 4) == asked("number", 1.25, 4, 3)
    assert asked("number", 1.25, 3, 4) != asked("number", 1.5, 4, 3)
    assert asked("relation", ["left"], 3, 4) != asked("relation", ["left"], 4, 3)
    # The same views in another order.
    facts = {"kind": "relation", "value": ["left"], "objects": {"red": 3}}
    first, second = (row(0, "select", images=images, facts=facts) for images in (["a", "b"], ["b", "a"]))
    assert near_key(first) == near_key(second)


def test_labels_and_coverage(tmp_path: Path) -> None:
    things = [[0, 0, label, 1, 1, 0] for label in (*LABELS, "wall", *(f"odd {k}" for k in range(12)))]
    info = {
        "scenes": {"scene00": {"objects": things, "room_id": "r"}},
        "config": {"policy": {"excluded_labels": ["wall"]}},
    }
    report = audit_dataset(dataset(tmp_path, even_rows(), **info))
    assert report.labels.in_scenes == 20 and report.labels.named == 8
    assert report.labels.coverage == pytest.approx(0.4)
    assert "odd 3" in report.labels.never_named and "wall" not in report.labels.never_named
    assert any("only 40.0% of the scenes' labels" in problem for problem in report.problems)
    rows = [row(k, "judge", facts={"objects": {"red": k}, "labels": {"red": "lamp"}}) for k in range(100)]
    (tmp_path / "info.json").unlink()
    assert any("name 'lamp'" in problem for problem in audit_dataset(dataset(tmp_path, rows)).problems)


def test_images_in_too_many_facts(tmp_path: Path) -> None:
    rows = [row(k, "judge", images=["one.jpg"]) for k in range(80)]
    report = audit_dataset(dataset(tmp_path, rows), Limits(max_facts_per_image=79))
    assert "images: one.jpg is in 80 facts, at most 79" in report.problems


def test_text_only_never_learns_from_the_room_it_is_asked_about() -> None:
    """Each room has a word of its own that tells the answer: worthless in every other room."""
    rows = [
        row(k, "judge", scene=f"scene{k % 8}", question=f"word{k % 8}x?", answer=("Yes", "No")[k % 8 % 2])
        for k in range(160)
    ]
    learnt = text_only_predictions(rows, {})
    right = sum(learnt[r["id"]] == r["answer"] for r in rows) / len(rows)
    assert right <= 0.5
    # Two scans of one room count as one room, and one room cannot be asked about at all.
    assert text_only_predictions(rows, {f"scene{k}": "one room" for k in range(8)}) == {}


def test_the_order_of_rows_does_not_matter(tmp_path: Path) -> None:
    rows = even_rows(150)
    first = audit_dataset(dataset(tmp_path / "a", rows), sample=100)
    second = audit_dataset(dataset(tmp_path / "b", rows[::-1]), sample=100)
    assert {t.format: t for t in first.tasks} == {t.format: t for t in second.tasks}
    assert first.tasks[0].scored == 100
    assert audit_dataset(tmp_path / "a", sample=100, seed=1).tasks != first.tasks


def test_said_answers() -> None:
    assert said_answer(row(0, "select", options=["a", "b", "c", "d"], answer="C")) == "c"
    assert said_answer(row(0, "select", options=["a", "b"], answer="C")) == "C"
    assert said_answer(row(0, "sentence", answer="It is left.", facts={"value": ["left"]})) == '["left"]'


def test_sentences_and_odd_rows_are_no_crash(tmp_path: Path) -> None:
    hostile = "{value} [red]</b>\x1b[31m"
    rows = [row(k, "sentence", answer=hostile, facts=None) for k in range(70)]
    rows += [row(k, "other", answer=hostile, task=hostile) for k in range(70)]
    report = audit_dataset(dataset(tmp_path, rows))
    assert any("'{value} [red]</b>?[31m'" in problem for problem in report.problems)
    with pytest.raises(SceneError, match="no rows"):
        audit_dataset(dataset(tmp_path, []))
    with pytest.raises(SceneError, match=r"row 1 .* 'task' should be a str"):
        list(collect([{"id": "a", "task": 3}], sample=1, seed=0).pools)


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = dataset(tmp_path / "d", even_rows(100))
    assert run(["audit", str(out), "--json", str(tmp_path / "a.json")]) == 0
    said = capsys.readouterr().out
    assert "no limit is exceeded" in said and "spaceland review" in said
    found = json.loads((tmp_path / "a.json").read_text())
    assert found["ok"] and found["rows"] == 300 and found["limits"]["min_rows"] == 60
    assert run(["audit", str(out), "--max-answer-share", "0.01"]) == 1
    assert "limits are exceeded" in capsys.readouterr().out
    assert run(["audit", str(tmp_path / "none")]) == 2


def test_the_table_is_whole_at_80_columns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    rows = [{**row, "task": "spatial_imagination_oc_video_hard"} for row in even_rows(100)]
    run(["audit", str(dataset(tmp_path / "d", rows))])
    table = capsys.readouterr().out.split("300 rows from")[0]
    lines = [line.rstrip() for line in table.splitlines()]
    assert "spatial_imagination_oc_video_hard" in lines and max(map(len, lines)) <= 80
    words = {word.rstrip(",") for word in table.split()}
    assert {"select", "judge", "fill", "frequency", "A"} <= words and not any("\u2026" in word for word in words)


def test_letters_of_questions_with_three_and_with_four_options_are_even_as_chance_is() -> None:
    """Half of each: A, B and C are right 29 times of a hundred, D 13 times."""
    letters = {"A": 146, "B": 146, "C": 146, "D": 62}
    mixed = TaskAudit("route", "select", 500, 30, "left", 0.1, letters, 29.2, 500, 29.2, 29.2, 0, 0)
    assert _task_problems(mixed, Limits()) == []
    uneven = replace(mixed, letters={"A": 190, "B": 124, "C": 124, "D": 62})
    assert any("of the right answers are A, at most 34.2%" in problem for problem in _task_problems(uneven, Limits()))
