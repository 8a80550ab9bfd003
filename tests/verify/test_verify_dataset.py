"""The folder as a whole: counts, failures by id, errors that say what to do, and the command line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from verify_rows import Rooms, changed, room, rows, write_folder

from spaceland.cli import run
from spaceland.errors import SceneError, SourceError
from spaceland.files import write_json
from spaceland.scenes import sources
from spaceland.scenes.folder_write import write_scene
from spaceland.verify import verify_dataset


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> Rooms:
    rooms = Rooms(room())
    monkeypatch.setattr(sources, "open_source", lambda spec: rooms)
    return rooms


def test_all_rows_are_verified_and_the_scene_is_opened_once(tmp_path: Path, source: Rooms) -> None:
    made = rows()
    folder = write_folder(tmp_path, made[::2] + made[1::2][::-1], room())
    steps = []
    report = verify_dataset(folder, ["x"], progress=lambda n, scene: steps.append((n, scene)))
    assert (report.verified, report.total, report.failures) == (len(made), len(made), [])
    assert report.ok and source.opened == ["handmade"] and steps == [(len(made), "handmade")]
    assert report.notes and "info.json" in report.notes[0]


def test_workers_give_the_same_report(tmp_path: Path) -> None:
    scenes, made = [], []
    for name in ("one", "two"):
        scenes.append(replace(room("depth"), id=name))
        write_scene(scenes[-1], tmp_path / "scenes" / name)
        made += [json.loads(json.dumps(row).replace("handmade", name)) for row in rows("depth")[::8]]
    made[1]["answer"] = made[-1]["answer"] = "?"
    folder = write_folder(tmp_path / "set", made, scenes[0])
    source = f"folder:{tmp_path / 'scenes'}"
    report = verify_dataset(folder, [source], workers=2)
    assert [row_id for row_id, _ in report.failures] == [made[1]["id"], made[-1]["id"]]
    assert report == verify_dataset(folder, [source])


def test_failures_are_listed_by_id_in_the_order_of_the_file(tmp_path: Path, source: Rooms) -> None:
    made = rows()
    spoil = [k for k, row in enumerate(made) if row["format"] == "fill" and row["facts"]["kind"] == "number"][:4]
    for k in spoil:
        made[k]["answer"] = "99.0"
    report = verify_dataset(write_folder(tmp_path, made, room()), ["x"])
    assert [row_id for row_id, _ in report.failures] == [made[k]["id"] for k in spoil]
    assert all("answer is 99, derived" in reason for _, reason in report.failures)


def test_lines_that_are_no_rows_and_double_ids(tmp_path: Path, source: Rooms) -> None:
    made = rows()[:3]
    folder = write_folder(tmp_path, [*made, made[1]], room())
    with (folder / "rows.jsonl").open("ab") as file:
        file.write(b'\n[1]\n{"id": 7}\n\xff\xfe\n{"id": "cut')
    report = verify_dataset(folder, ["x"])
    assert report.total == 8 and report.verified == 3
    assert [row_id for row_id, _ in report.failures] == [made[1]["id"], "line 6", "line 7", "line 8", "line 9"]


def test_images_must_be_there_and_inside(tmp_path: Path, source: Rooms) -> None:
    made = rows()[:6]
    folder = write_folder(tmp_path / "set", made, room())
    assert verify_dataset(folder, ["x"]).ok
    outside = tmp_path / "images" / "handmade"
    outside.mkdir(parents=True)
    name = made[0]["images"][0]
    for bad in (
        f"../{name}",
        str((folder / name).resolve()),
        f"images/../{name}",
        name.replace("/", "\\"),
        f"{name}\0",
    ):
        report = verify_dataset(write_folder_rows(folder, [changed(made[0], ("images", 0), bad)]), ["x"])
        assert not report.ok and "image" in report.failures[0][1], bad
    (folder / name).unlink()
    (folder / name).symlink_to(outside / Path(name).name)
    (outside / Path(name).name).write_bytes(
        (folder / made[-1]["images"][0]).read_bytes() if made[-1]["images"][0] != name else b""
    )
    assert "leaves the dataset folder" in verify_dataset(write_folder_rows(folder, made[:1]), ["x"]).failures[0][1]
    (folder / name).unlink()
    assert "is missing" in verify_dataset(folder, ["x"]).failures[0][1]
    (folder / name).write_bytes(b"\xff\xd8\xff no picture")
    assert "cannot be read" in verify_dataset(folder, ["x"]).failures[0][1]


def write_folder_rows(folder: Path, made: list) -> Path:
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in made))
    return folder


def test_errors_name_what_is_missing(tmp_path: Path, source: Rooms) -> None:
    with pytest.raises(SceneError, match="not a folder"):
        verify_dataset(tmp_path / "nowhere", ["x"])
    with pytest.raises(SceneError, match=r"missing file: .*rows\.jsonl"):
        verify_dataset(tmp_path, ["x"])
    write_folder(tmp_path, rows()[:2], room())
    source.scenes.clear()
    with pytest.raises(SourceError, match=r"rows of scene handmade .*none of the sources"):
        verify_dataset(tmp_path, ["x"])


def test_a_row_of_a_scene_that_the_dataset_never_had_is_a_failure(tmp_path: Path, source: Rooms) -> None:
    made = rows()[:4]
    made[2]["scene"] = "elsewhere"
    folder = write_folder(tmp_path, made, room())
    write_json(folder / "info.json", {"rows": 5, "scenes": {"handmade": {}}, "config": {}})
    report = verify_dataset(folder, ["x"])
    assert [row_id for row_id, _ in report.failures] == [made[2]["id"]]
    assert report.notes == ["info.json says 5 rows, rows.jsonl has 4"]


def test_rows_of_a_mixture_hold_by_the_settings_of_their_part(tmp_path: Path, source: Rooms) -> None:
    made = [{**row, "id": f"old/rooms/{row['id']}"} for row in rows()[:6]]
    folder = write_folder(tmp_path, made, room())
    assert verify_dataset(folder, ["x"]).verified == 0
    write_json(folder / "info.json", {"parts": {"rooms": {"config": {}}, "old/rooms": {}, "": {"config": {}}}})
    report = verify_dataset(folder, ["x"])
    assert report.ok and report.notes == [
        "info.json has no settings of the part 'old/rooms', so the rows' thresholds are taken as they state them"
    ]
    write_json(folder / "info.json", {"parts": {"old/rooms": {"config": {"policy": {"min_visible_px": 10**6}}}}})
    report = verify_dataset(folder, ["x"])
    assert not report.ok and not report.notes


def test_a_scene_that_cannot_be_opened_fails_its_rows(tmp_path: Path, source: Rooms, monkeypatch) -> None:
    def broken(scene_id: str) -> None:
        raise SceneError("mesh is truncated")

    monkeypatch.setattr(source, "open", broken)
    report = verify_dataset(write_folder(tmp_path, rows()[:3], room()), ["x"])
    assert report.verified == 0 and "mesh is truncated" in report.failures[0][1]


def test_command_line(tmp_path: Path, source: Rooms, capsys: pytest.CaptureFixture[str]) -> None:
    made = rows()
    folder = write_folder(tmp_path / "set", made, room())
    assert run(["verify", str(folder), "x"]) == 0
    assert f"verified {len(made)} of {len(made)}" in capsys.readouterr().out
    for row in made[:30]:
        row["answer"] = "[bold]?[/bold]"
    write_folder_rows(folder, made)
    assert run(["verify", str(folder), "x", "--json", str(tmp_path / "report.json")]) == 1
    out = capsys.readouterr().out
    assert f"verified {len(made) - 30} of {len(made)}" in out and "and 10 more" in out
    assert made[0]["id"] in out
    report = json.loads((tmp_path / "report.json").read_text())
    assert [f["id"] for f in report["failures"]] == [row["id"] for row in made[:30]]
    assert run(["verify", str(tmp_path / "nowhere"), "x"]) == 2
    assert "not a folder" in capsys.readouterr().err
