"""`spaceland demo`: the whole way once, from sample rooms to a page that shows everything.

Each step calls what the verb of the same name calls, so the demo proves that the verbs work together. Times appear on
the terminal only: what is written is the same on every machine.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spaceland.benchmarks import ScoreResult
    from spaceland.datasets.generate import GenerateResult
    from spaceland.prompts import MarkedScene
    from spaceland.verify import VerifyReport
    from spaceland.viewer.report import ReportResult

PER_SCENE = 20
MARKED_FRAMES = 4
BASELINES = ("oracle", "random", "frequency")


def demo(*, out: Path = Path("out/demo"), scenes: str = "rooms:1-2", frames: int = 32, workers: int = 2) -> int:
    """Make sample rooms, questions, marked views and scores, and a page that shows them.

    Run it again to go on after an interruption.

    Args:
        out: Folder for everything.
        scenes: Any source; sample rooms by default.
        frames: Frames of each sample room.
        workers: Processes for making rooms and questions.
    """
    from rich.console import Console

    from spaceland.viewer.demo_page import DemoResults, write_demo_page

    console = Console()

    def say(text: str) -> None:
        console.print(text, highlight=False, markup=False, soft_wrap=True)

    spec = scenes
    if scenes.startswith("rooms:") and "frames=" not in scenes:
        spec = f"{scenes}{'&' if '?' in scenes else '?'}frames={frames}"
    folders, dataset = out / "scenes", out / "dataset"
    saved = f"folder:{folders}"
    steps = Steps(say)
    with steps.step(f"save {spec}") as note:
        saves = save_scenes(spec, folders, workers)
        forget_other_scenes(out, saves)
        ids = list(saves)
        note(f"{len(ids)} scenes in {folders}")
    with steps.step(f"generate {saved}") as note:
        made = generate_rows(saved, dataset, workers)
        assert made.info is not None
        note(f"{made.info['rows']} questions in {dataset}")
    with steps.step(f"verify {dataset}") as note:
        verified = verify_rows(dataset, saved)
        note(f"verified {verified.verified} of {verified.total}")
    with steps.step(f"report {dataset}") as note:
        report = write_page(dataset)
        note(f"{report.num_samples} samples in {report.path}")
    with steps.step(f"mark {saved}") as note:
        marked = {scene_id: mark_saved(folders / scene_id, out / "marked" / scene_id) for scene_id in ids}
        note(f"bird's-eye views and frames in {out / 'marked'}")
    with steps.step("score sparbench, three baselines") as note:
        scores = {name: score_baseline(dataset, name, out / "scores" / f"{name}.json") for name in BASELINES}
        note(", ".join(f"{name} {result.overall or 0:.1f}" for name, result in scores.items()))
    page = write_demo_page(out, DemoResults(spec, made.info, verified, marked, scores))
    for row_id, reason in verified.failures[:5]:
        say(f"does not hold: {row_id}: {reason}")
    say(f"Done in {steps.total_s:.0f} s. Next: open {page} in a browser")
    return 0 if verified.ok and not made.failures else 1


@dataclass
class Steps:
    """Says each step with its time."""

    say: Callable[[str], None]
    number: int = 0
    total_s: float = 0.0

    @contextmanager
    def step(self, name: str) -> Iterator[Callable[[str], None]]:
        """Yield a function that takes what the step achieved."""
        self.number += 1
        self.say(f"{self.number}. {name}")
        notes: list[str] = []
        started = time.monotonic()
        yield notes.append
        seconds = time.monotonic() - started
        self.total_s += seconds
        self.say(f"   {'; '.join(notes)} ({seconds:.1f} s)")


def save_scenes(spec: str, folders: Path, workers: int) -> dict[str, str]:
    """Write the scenes as folders, several at a time; returns their fingerprints by id, in order."""
    from functools import partial

    from spaceland.errors import SourceError
    from spaceland.processes import in_processes
    from spaceland.scenes.sources import iterate_scenes

    ids = [scene_id for _, scene_id, _ in iterate_scenes([spec])]
    if not ids:
        raise SourceError(f"'{spec}' holds no scenes")
    marks = dict(in_processes(partial(_save_one, spec, folders=folders), ids, workers))
    return {scene_id: marks[scene_id] for scene_id in ids}


def _save_one(spec: str, scene_id: str, folders: Path) -> str:
    from spaceland.datasets.config import portable_spec
    from spaceland.files import write_json
    from spaceland.scenes.folder_write import fingerprint, is_saved, write_scene
    from spaceland.scenes.sources import open_scene

    scene, folder = open_scene(spec, scene_id), folders / scene_id
    mark = fingerprint(scene)
    if not is_saved(folder, mark):
        write_scene(scene, folder)
        write_json(folder / "save.json", {"source": portable_spec(spec), "fingerprint": mark})
    return mark


def forget_other_scenes(out: Path, saves: dict[str, str]) -> None:
    """Remove what an earlier demo in the folder made from other scenes: its dataset, and scenes not in this one.

    `demo.json` holds the fingerprints of a demo's scenes; nothing that it does not name is removed.

    Raises:
        OutputError: `out/scenes` holds scenes that no demo made.
    """
    import shutil

    from spaceland.errors import OutputError, SceneError
    from spaceland.files import read_json, write_json
    from spaceland.scenes.sources import open_source

    try:
        earlier = read_json(out / "demo.json")["scenes"]
    except (SceneError, KeyError, TypeError):
        earlier = {}
    if not isinstance(earlier, dict):
        earlier = {}
    if earlier and earlier != saves:
        shutil.rmtree(out / "dataset", ignore_errors=True)
        for scene_id in set(earlier) - set(saves):
            # demo.json may have been edited: only plain names are followed.
            if scene_id not in ("", "..") and Path(scene_id).name == scene_id:
                shutil.rmtree(out / "scenes" / scene_id, ignore_errors=True)
                shutil.rmtree(out / "marked" / scene_id, ignore_errors=True)
    others = sorted(set(open_source(f"folder:{out / 'scenes'}").ids()) - set(saves))
    if others:
        raise OutputError(f"{out / 'scenes'} holds other scenes too ({', '.join(others[:5])}); choose another --out")
    write_json(out / "demo.json", {"scenes": saves})


def generate_rows(saved: str, dataset: Path, workers: int) -> GenerateResult:
    from spaceland.cache import default_cache_dir
    from spaceland.datasets.config import GenerateConfig
    from spaceland.datasets.generate import generate

    config = GenerateConfig(per_scene=PER_SCENE)
    return generate([saved], dataset, config, workers=workers, cache_dir=default_cache_dir())


def verify_rows(dataset: Path, saved: str) -> VerifyReport:
    from spaceland.verify import verify_dataset

    return verify_dataset(dataset, [saved])


def write_page(dataset: Path) -> ReportResult:
    from spaceland.viewer.report import write_report

    return write_report(dataset)


def mark_saved(folder: Path, out: Path) -> MarkedScene:
    from spaceland.prompts import MarkConfig, mark_scene
    from spaceland.scenes.sources import open_scene

    return mark_scene(open_scene(f"folder:{folder}"), out, MarkConfig(num_frames=MARKED_FRAMES))


def score_baseline(dataset: Path, name: str, out: Path) -> ScoreResult:
    """Score one built-in baseline and write its JSON."""
    from spaceland.benchmarks import baseline_predictions, score_benchmark
    from spaceland.datasets.rows import read_rows
    from spaceland.files import write_json

    rows = list(read_rows(dataset / "rows.jsonl"))
    result = score_benchmark("sparbench", rows, baseline_predictions("sparbench", name, rows))
    write_json(out, result.to_json())
    return result
