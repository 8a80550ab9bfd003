"""`spaceland evaluate BENCHMARK --rows hf:` from the data set to the scores, and the folders of `spaceland mark`."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import rows_mindcube
import rows_scanqa
from released_layouts import COMMIT, as_cached, lay_out, png, write_json

from chat_server import reply, serving
from spaceland.benchmarks.known import ScoreError
from spaceland.benchmarks.released.table import RELEASED
from spaceland.commands.evaluate import evaluate
from spaceland.evaluation.media import MediaFinder, load_media
from spaceland.evaluation.plan import make_plan

RowsOf = Callable[[str], ModuleType]
PICTURES = {"sparbench": 2, "cvbench": 1, "mmsi": 3, "mindcube": 2, "viewspatial": 1, "3dsrbench": 1, "embspatial": 1}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    constants = pytest.importorskip("huggingface_hub.constants", reason="needs the extra hub")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "hub"


@pytest.mark.parametrize("name", [*PICTURES, "blink"])
def test_pictures_of_a_hub_data_set_reach_the_model(name: str, rows_of: RowsOf, cache: Path, tmp_path: Path) -> None:
    rows = rows_of(name).make_rows(28, 5)
    lay_out(name, rows, tmp_path / "clone")
    as_cached(tmp_path / "clone", str(RELEASED[name].repo), cache)
    with serving(reply("A")) as log:
        code = evaluate(name, model=f"openai:m@{log.url}", rows=("hf:",), limit=6, out=tmp_path / "run")
    assert code == 0
    shown = [sum(part["type"] == "image_url" for part in body["messages"][-1]["content"]) for body in log.bodies]
    if name == "blink":
        assert set(shown) <= {1, 2, 3, 4} and len(set(shown)) > 1  # as many as a row has, empty cells left out
    else:
        assert shown == [PICTURES[name]] * 6
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert (result["rows"]["source"]["revision"], result["rows"]["evaluated"]) == (COMMIT, 6)


READ_BY_MANY = """
import random, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from spaceland.benchmarks.released.tables import StoredPicture

def read(seed):
    rows = random.Random(seed).choices(range(60), k=150)
    return [StoredPicture(Path(sys.argv[1]), row, "image").read() == bytes([row]) * 3000 for row in rows]

with ThreadPoolExecutor(8) as pool:
    print(all(map(all, pool.map(read, range(8)))))
"""


def test_pictures_in_a_parquet_file_are_read_by_many_threads(tmp_path: Path) -> None:
    # In a process of its own: where two threads use one reader, the process is gone.
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    table = pa.table({"image": [{"bytes": bytes([row]) * 3000, "path": f"{row}"} for row in range(60)]})
    pq.write_table(table, tmp_path / "rows.parquet", row_group_size=4)
    argv = [sys.executable, "-c", READ_BY_MANY, str(tmp_path / "rows.parquet")]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=180)
    assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr


def test_asking_blind_brings_nothing_out(cache: Path, tmp_path: Path) -> None:
    lay_out("mindcube", rows_mindcube.make_rows(8, 5), tmp_path / "clone")
    as_cached(tmp_path / "clone", "MLL-Lab/MindCube", cache)
    with serving(reply("A")) as log:
        model = f"openai:m@{log.url}"
        assert evaluate("mindcube", model=model, rows=("hf:#tiny",), blind=True, out=tmp_path / "b") == 0
    assert len(log.bodies) == 6 and not (tmp_path / "out").exists()
    assert evaluate("mindcube", model="baseline:oracle", rows=("hf:",), out=tmp_path / "o") == 0
    assert not (tmp_path / "out").exists()


def marked_folder(folder: Path, frames: int) -> None:
    """As `spaceland mark` leaves it."""
    (folder / "frames").mkdir(parents=True)
    for name, value in (("bev.png", 200), ("bev_filled.png", 201)):
        (folder / name).write_bytes(png(value))
    for k in range(frames):
        (folder / "frames" / f"{k:06d}.png").write_bytes(png(k))
    write_json(folder / "objects.json", {})


def test_marked_protocols_show_the_view_from_above_and_then_frames(tmp_path: Path) -> None:
    rows = rows_scanqa.make_rows(2, 1)
    scenes = {row["scene_id"] for row in rows}
    for scene in scenes:
        marked_folder(tmp_path / scene, 40)
        (tmp_path / f"{scene}.mp4").write_bytes(b"the same room without marks")
    plan = make_plan("scanqa", rows, tmp_path, protocol="chat-scene")
    media = plan.items[0].media
    assert media is not None and plan.policy is not None
    assert media.kind == "marked" and media.name in scenes
    pictures, indices = load_media(media, plan.policy)
    assert len(pictures) == 33 and pictures[0].data == png(200)
    assert indices == [k * 40 // 32 for k in range(32)] and pictures[-1].data == png(indices[-1])
    # Other protocols take the video, and of a folder alone its frames, never the view from above as if it were one.
    plain = make_plan("scanqa", rows, tmp_path, protocol="official")
    assert plain.items[0].media is not None and plain.items[0].media.kind == "video"
    (tmp_path / f"{rows[0]['scene_id']}.mp4").unlink()
    found = MediaFinder(tmp_path).find(rows[0], rows[0])
    assert len(load_media(found, plan.policy)[0]) == 32


@pytest.mark.parametrize("kind", ["video", "folder"])
def test_without_marks_the_command_that_makes_them_is_named(kind: str, tmp_path: Path) -> None:
    rows = rows_scanqa.make_rows(1, 1)
    scene = rows[0]["scene_id"]
    if kind == "video":
        (tmp_path / f"{scene}.mp4").write_bytes(b"no marks")
    else:
        (tmp_path / scene / "color").mkdir(parents=True)
        (tmp_path / scene / "color" / "0.png").write_bytes(png(1))
    with pytest.raises(ScoreError) as raised:
        make_plan("scanqa", rows, tmp_path, protocol="chat-scene")
    assert (
        f"make them for every scene: spaceland mark scannet:SCANS --scene {scene} --frames 32 --long-side 512 --out "
        f"{tmp_path / scene}; or ask without marks" in str(raised.value)
    )
    make_plan("scanqa", rows, tmp_path, protocol="official")
