"""The learning experiment: its questions, its matrix, its table, and all of it at toy size."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from random import Random

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra model")
pytest.importorskip("transformers", reason="needs the extra model")
pytest.importorskip("accelerate", reason="needs the extra model")

import training_data  # noqa: F401  (keeps this project's tests/datasets from looking like a package)

ROOT = Path(__file__).parents[2]
if str(ROOT) not in sys.path:
    sys.path.append(str(ROOT))

from bench.learning.__main__ import main
from bench.learning.config import cells_of, data_name, data_spec, read_experiment, train_config
from bench.learning.questions import MarkedPoint, Shot, pick_points, questions_of
from bench.learning.runs import frequency, held_out_samples, score
from bench.learning.table import figures, markdown

from spaceland.errors import TrainingError
from spaceland.geometry.camera import PinholeCamera

CAMERA = PinholeCamera(60, 40, 50.0, 50.0, 30.0, 20.0)
FULL = ROOT / "bench/learning/full.toml"


def shot(name: str, depth_m: float, T: np.ndarray | None = None) -> Shot:
    return Shot(name, np.full((40, 60), depth_m, np.float32), CAMERA, np.eye(4) if T is None else T)


def turned_right(deg: float, place: tuple[float, float, float]) -> np.ndarray:
    """Camera axes of a world that is the first camera: y is down, so turning right is about +y."""
    a = np.radians(deg)
    T = np.eye(4)
    T[:3, :3] = [[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]]
    T[:3, 3] = place
    return T


def test_answers_follow_from_points_and_poses() -> None:
    clip = [shot("a", 3.0), shot("b", 2.0, turned_right(20, (0.3, 0.0, 0.4)))]
    points = [
        MarkedPoint("red", 0, (200, 500), np.array([-1.0, 0.0, 3.0])),
        MarkedPoint("blue", 0, (800, 500), np.array([1.0, 0.0, 2.0])),
        MarkedPoint("green", 1, (500, 500), np.array([1.0, 0.0, 5.0])),
    ]
    for drawn in (True, False):
        found = {(q.task, q.text): q.answer for q in questions_of(clip, points, Random(0), drawn)}
        by_task: dict[str, set[str]] = {}
        for (task, _), answer in found.items():
            by_task.setdefault(task, set()).add(answer)
        assert by_task["depth_of_mark"] == {"3.0", "2.0"}
        assert by_task["distance_of_marks"] == {f"{np.sqrt(5):.1f}", f"{np.sqrt(8):.1f}", "3.0"}
        assert (
            by_task["camera_turn"] == {"right"}
            and by_task["camera_move"] == {"0.5"}
            and by_task["camera_way"] == {"forward"}
        )
        for (task, text), answer in found.items():
            first, _, second = text.partition(" or ")
            if task == "left_mark":
                red = "red" if drawn else "(200,500)"
                assert answer == ("red" if drawn else ("first" if red in first else "second"))
            if task == "nearer_mark" and drawn:
                nearest = min(
                    (n for n in ("blue", "red", "green") if n in first or n in second), key="blue red green".index
                )
                assert answer == nearest
        assert len(found) == 12


def test_marks_lie_apart_on_smooth_surface() -> None:
    depth = np.full((40, 60), 3.0, np.float32)
    depth[:, 30:] = 5.0  # an edge, on which no mark may lie
    depth[:10] = 0.0
    clip = [Shot("a", depth, CAMERA, np.eye(4)), shot("b", 2.0)]
    for seed in range(20):
        points = pick_points(clip, Random(seed))
        assert points is not None and [p.image for p in points] == [0, 0, 1]
        red, blue, _ = points
        assert np.hypot(red.xy[0] - blue.xy[0], red.xy[1] - blue.xy[1]) >= 149
        for point in (red, blue):
            u, v = point.xy[0] * 60 / 1000, point.xy[1] * 40 / 1000
            assert v > 10 and not 28 < u < 32
            assert point.point_m[2] == pytest.approx(3.0 if u < 30 else 5.0)
            assert np.allclose(CAMERA.project(point.point_m)[0], (u, v), atol=0.07)
    assert pick_points([Shot("a", np.zeros((40, 60), np.float32), CAMERA, np.eye(4)), clip[1]], Random(0)) is None


def test_the_matrix_of_the_full_experiment(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(FULL), "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "288 runs" in said and "vggt-nomarks-bev-800rooms-seed2: vggt:facebook/VGGT-1B" in said
    experiment = read_experiment(FULL)
    cells = cells_of(experiment)
    assert len({cell.name for cell in cells}) == len(cells) == 288
    assert [cell.seed for cell in cells[:96]] == [0] * 96
    configs = {cell.arm.name: train_config(experiment, cell, cell.arm.encoder) for cell in cells}
    assert configs["blind"].stages[0].data[0].path.endswith("blind.json")
    assert configs["none"].stages[0].train == ("vision_tower", "merger", "language_model")
    assert "adapter" in configs["vggt"].stages[0].train
    names = {data_name("train", cell): data_spec(experiment, "train", cell) for cell in cells}
    assert len(names) == 12 and len(set(names.values())) == 12
    assert names["train-50-nomarks-bev"].rooms == "1-50"
    tested = {data_spec(experiment, part, cell).rooms for cell in cells for part in ("test", "validation")}
    assert tested == {"20001-20060", "10001-10020"}


def test_experiments_that_cannot_be(tmp_path: Path) -> None:
    text = (ROOT / "bench/learning/small.toml").read_text()
    for old, new, problem in (
        ("rooms = [40]", "rooms = [41]", "but train has 40 rooms"),
        (text[text.index("[trunk]") : text.index("[[arms]]")], "", "no table"),
        ("seeds =", "seed =", "seed"),
        ("[model]", "[model", "is no experiment"),
    ):
        path = tmp_path / "x.toml"
        assert old in text
        path.write_text(text.replace(old, new))
        with pytest.raises(TrainingError, match=problem):
            read_experiment(path)


def test_the_table() -> None:
    clips = {"a": list(range(40)), "b": [k // 2 for k in range(80)]}
    zero, one = {"a": [0.0] * 40, "b": [0.0] * 80}, {"a": [1.0] * 40, "b": [0.0] * 80}

    def run(arm: str, seed: int, scores: dict[str, list[float]]) -> dict:
        return {"cell": {"arm": arm, "seed": seed}, "scores": scores}

    rng = np.random.default_rng(0)
    mixed = {"a": rng.integers(0, 2, 40).astype(float).tolist(), "b": rng.integers(0, 2, 80).astype(float).tolist()}
    better = {task: [min(1.0, v + 0.1) for v in values] for task, values in mixed.items()}
    entries = figures(
        [run("none", 0, zero), run("none", 1, one), run("x", 0, mixed), run("y", 0, better)], mixed, clips
    )
    by_arm = {entry["arm"]: entry for entry in entries}
    # Every task counts the same, though b has more rows.
    assert by_arm["none"]["all"]["of_seeds"] == pytest.approx([0, 50]) and by_arm["none"]["seeds"] == 2
    assert by_arm["none"]["all"]["score"] == pytest.approx(25) and by_arm["none"]["a"]["score"] == pytest.approx(50)
    assert by_arm["none"]["all"]["interval"] == pytest.approx([25, 25])
    x = by_arm["x"]["a"]
    assert x["score"] == pytest.approx(100 * np.mean(mixed["a"]))
    # The binomial interval of 40 rows.
    assert np.subtract(*x["interval"][::-1]) == pytest.approx(2 * 196 * np.std(mixed["a"]) / np.sqrt(40), rel=0.15)
    assert by_arm["frequency"]["all"]["score"] == pytest.approx(by_arm["x"]["all"]["score"])
    text = markdown(entries, ["x", "y", "none"])
    assert text.index("| frequency |") < text.index("| x |") < text.index("| none |") and "25.0 to 25.0" in text


@pytest.mark.heavy
def test_all_of_it_at_toy_size(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    toy = tmp_path / "toy.toml"
    toy.write_text(
        """
about = "toy"
train = "5-5"
validation = "6-6"
test = "6-6"
rooms = [1]
clips = 3
test_clips = 2
tasks = ["depth_of_mark", "nearer_mark", "camera_turn", "camera_move"]
width = 84
height = 70
marks = [false]
bev = [false, true]
seeds = [0]
adapter = { merger_dim = 32 }
stage = { max_steps = 2, batch = 2, device_batch = 2, lr = 1e-3 }
trunk = { steps = 1, clips = 1 }
arms = [
    { name = "blind", blind = true },
    { name = "oracle", encoder = "oracle" },
    { name = "trunk", encoder = "tiny-trunk:TRUNK" },
]
[model]
vlm = "tiny"
dtype = "float32"
grid = { long_side_cells = 2 }
tiny = { hidden = 32, layers = 1, heads = 1, vision_hidden = 32, vision_layers = 1 }
"""
    )
    out = tmp_path / "out"
    assert main([str(toy), "--out", str(out), "--workers", "1"]) == 0
    said = capsys.readouterr().out
    assert said.count("| oracle | 1 |") == 2
    runs = sorted(path.stem for path in (out / "runs/test").iterdir())
    assert len(runs) == 6 and "oracle-nomarks-bev-1rooms-seed0" in runs
    found = json.loads((out / "runs/test/oracle-nomarks-bev-1rooms-seed0.json").read_text())
    samples = held_out_samples(out / "data", "test-nomarks-bev", blind=False)
    assert len(found["replies"]) == len(samples) and len(samples[0].media) == 3
    assert not held_out_samples(out / "data", "test-nomarks-bev", blind=True)[0].media
    right = {sample.id: str(sample.reference["answer"]) for sample in samples}
    assert all(value == 1 for values in score(samples, right).values() for value in values)
    assert max(max(values) for values in frequency(samples).values()) == 1
    trunk = json.loads((out / "trunk/report.json").read_text())
    assert {"depth_error_m", "depth_error_m_trivial", "rotation_deg"} <= set(trunk["held_out"])
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- tables -->\nold\n<!-- end of tables -->\nafter\n")
    assert main([str(toy), "--out", str(out), "--table", "--write", str(page)]) == 0
    assert "old" not in page.read_text() and "| oracle | 1 |" in page.read_text() and "after" in page.read_text()
    assert "| translation between the two frames, m |" in page.read_text()
    # What is done is not done again, and the same data gives the same rows.
    before = (out / "runs/test/blind-nomarks-nobev-1rooms-seed0.json").stat().st_mtime_ns
    assert main([str(toy), "--out", str(out), "--workers", "1"]) == 0
    assert (out / "runs/test/blind-nomarks-nobev-1rooms-seed0.json").stat().st_mtime_ns == before
    toy.write_text(toy.read_text().replace("test_clips = 2", "test_clips = 3"))
    with pytest.raises(TrainingError, match="made otherwise"):
        main([str(toy), "--out", str(out), "--workers", "1"])
