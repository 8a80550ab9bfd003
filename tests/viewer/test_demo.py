"""The demo walks the whole way on any source, can be run again, and its page links to what is there."""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from page_reader import Reader

from handmade import box_scene
from spaceland.cli import run
from spaceland.commands.demo import forget_other_scenes
from spaceland.errors import OutputError
from spaceland.geometry.camera import PinholeCamera
from spaceland.geometry.transforms import look_at
from spaceland.scenes.folder_write import write_scene

CAMERA = PinholeCamera(160, 120, 130.0, 130.0, 80.0, 60.0)
BOXES = [
    ("chair", (2, 4, 0.5), (0.5, 0.5, 1)),
    ("table", (3.4, 5, 0.4), (1.2, 0.6, 0.8)),
    ("lamp", (1, 6, 1), (0.3, 0.3, 1.8)),
    ("<b>", (4.5, 3, 0.4), (0.6, 0.6, 0.6)),
]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_demo(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    poses = [
        look_at(np.array([3 + 1.5 * np.sin(a), 1.2, 1.5]), np.array([2.5 + 0.3 * a, 4.5, 0.6]))
        for a in np.linspace(-1, 1, 33)
    ]
    write_scene(box_scene(BOXES, poses, camera=CAMERA, with_ids=True, id="hall"), tmp_path / "source" / "hall")
    out = tmp_path / "demo"
    command = ["demo", "--out", str(out), "--scenes", f"folder:{tmp_path / 'source'}", "--workers", "1"]
    assert run(command) == 0
    said = capsys.readouterr().out
    rows = (out / "dataset" / "rows.jsonl").read_text().splitlines()
    assert f"verified {len(rows)} of {len(rows)}" in said
    assert "oracle 100.0" in said
    assert said.rstrip().endswith(f"open {out / 'index.html'} in a browser")
    assert json.loads((out / "scores" / "oracle.json").read_text())["overall"] == 100.0

    html = (out / "index.html").read_text()
    read = Reader(html)
    targets = [a.get("href") or a.get("src") or "" for name, a in read.tags if name in ("a", "img")]
    files = {unquote(target) for target in targets if target.startswith("./")}
    assert {"./dataset/report.html", "./marked/hall/bev.png", "./marked/hall/prompt.json"} <= files
    assert all((out / name).is_file() for name in files)
    assert "You see 5 pictures of one room." in read.text
    assert str(tmp_path) not in html
    assert not re.search(r"\d\.\d s\b", read.text), "times are for the terminal"

    first = contents(out)
    assert run(command) == 0
    assert contents(out) == first


def test_other_scenes_replace_those_of_an_earlier_demo(tmp_path: Path) -> None:
    for name in ("scenes/a", "scenes/b", "marked/a", "dataset"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "scene.json").write_text("{}")
    with pytest.raises(OutputError, match=r"other scenes too \(a\)"):
        forget_other_scenes(tmp_path, {"b": "1"})
    (tmp_path / "demo.json").write_text(
        '{"scenes": {"a": "1", "b": "1", "../marked": "1", "..": "1", ".": "1", "": "1"}}'
    )
    forget_other_scenes(tmp_path, {"b": "2"})
    assert {path.name for path in tmp_path.iterdir()} == {"scenes", "marked", "demo.json"}
    assert [path.name for path in (tmp_path / "scenes").iterdir()] == ["b"]
    (tmp_path / "dataset").mkdir()
    forget_other_scenes(tmp_path, {"b": "2"})
    assert (tmp_path / "dataset").is_dir(), "the same scenes keep their dataset"


def test_unknown_source(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["demo", "--out", str(tmp_path), "--scenes", str(tmp_path / "none")]) == 2
    assert "does not exist" in capsys.readouterr().err
