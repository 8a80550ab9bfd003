"""The stages in order, each with its folder below the work folder:

    keyframes/   the chosen pictures of a video, as JPEG               (plain videos and pictures)
    poses/       cameras and sparse points: estimate.json              (plain videos and pictures)
    depth/       depth of every keyframe: estimate.json, depth/*.npz   (plain videos and pictures)
    scene/       a scene folder: level, in metres, with a fused mesh   (the above, and posed RGB-D without a mesh)
    objects/     found objects: objects.json                           (what has no annotated objects)

A stage that still holds is kept (see `spaceland.reconstruct.stages`). Sources with objects of their own skip them all.

    prepared = prepare("room.mp4", Path("out/room"), PipelineConfig(scale="camera-height=1.5"))
    prepared.scene.objects, prepared.notes
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spaceland.errors import DependencyError
from spaceland.pipeline.config import PipelineConfig, given
from spaceland.pipeline.finders import brings_ids, check_finder, finder_settings, make_finder
from spaceland.pipeline.inputs import capture_path
from spaceland.pipeline.lasting_ids import World, read_earlier, with_lasting_ids
from spaceland.pipeline.stages import Bars, from_capture, from_posed, without_bars
from spaceland.pipeline.words import describe
from spaceland.reconstruct.stages import StageResult, forget, run_stage
from spaceland.scenes.images import pick
from spaceland.scenes.scene import Scene
from spaceland.scenes.sources import open_scene

Say = Callable[[str], None]
STAGES = ("keyframes", "poses", "depth", "scene", "objects")


@dataclass(frozen=True)
class Prepared:
    """The scene, the stages that were gone through (made now or kept), and what the user should know."""

    scene: Scene
    stages: tuple[StageResult, ...]
    notes: tuple[str, ...]


def prepare(
    source: str,
    work: Path,
    config: PipelineConfig | None = None,
    *,
    scene_id: str | None = None,
    bars: Bars = without_bars,
    say: Say | None = None,
    redo: str | None = None,
) -> Prepared:
    """Turn a source into a scene with objects, as far as it is not one already.

    Args:
        source: A video file, a folder of pictures, or a scene source such as rgbd:kitchen.
        work: Folder for the results of the stages.
        config: Settings.
        scene_id: Needed when a scene source holds several.
        bars: Opens a progress bar: `with bars("poses", total) as advance: advance(1, note)`.
        say: Called with a line after every stage: what it did, how well, how long it took.
        redo: Name of a stage to make anew; those after it follow.

    Raises:
        SpacelandError: the source cannot be opened, or a stage fails with a clear reason.
    """
    config = config or PipelineConfig()
    check_finder(config)  # what is wrong with it is told before the stages that take minutes
    runner = _Runner(work, bars, say or (lambda line: None), redo)
    path = capture_path(source)
    if path is not None:
        runner.unused(given(config, "max_frames"), "a video and pictures are thinned by --keyframes")
        scene = from_capture(path, config, runner)
        base = next(f"poses {stage.key}" for stage in runner.done if stage.name == "poses")
    else:
        opened = open_scene(source, scene_id)
        posed = given(config, "keyframes", "keyframe_method", "focal_px", "poses", "depth")
        runner.unused(posed, "the source has poses of its own")
        key = _scene_key(source, opened)
        scene = from_posed(opened, key, config, runner)
        base = f"source {key}"
        if not runner.done:
            runner.unused(given(config, "scale", "max_frames"), "the scene is taken as it is")
    scene = _with_objects(scene, base, config, runner)
    return Prepared(scene, tuple(runner.done), tuple(runner.notes))


class _Runner:
    """Runs stages one after the other, each on top of those before it."""

    def __init__(self, work: Path, bars: Bars, say: Say, redo: str | None) -> None:
        self.work, self.bars, self._say, self._redo = work, bars, say, redo
        self.done: list[StageResult] = []
        self.notes: list[str] = []

    def run(self, name: str, settings: Mapping[str, Any], make: Callable[[Path], Mapping[str, Any]]) -> StageResult:

        def make_anew(folder: Path) -> Mapping[str, Any]:
            self.forget_after(name)
            return make(folder)

        stage = run_stage(self.work, name, settings, tuple(self.done), make_anew, redo=name == self._redo)
        self.done.append(stage)
        self._say(describe(stage))
        return stage

    def forget_after(self, name: str) -> None:
        """Stages made from what is replaced now must not be taken for results, should the run end before them."""
        forget(self.work, STAGES[STAGES.index(name) + 1 :])

    def note(self, text: str) -> None:
        """Something that the user should know."""
        if text not in self.notes:
            self.notes.append(text)
            self._say(f"note: {text}")

    def unused(self, options: list[str], reason: str) -> None:
        """Tell that options were given which change nothing."""
        if options:
            self.note(f"{', '.join(options)} {'is' if len(options) == 1 else 'are'} not used: {reason}")

    def bar(self, label: str, total: int) -> AbstractContextManager[Callable[[int, str], None]]:
        return self.bars(label, total)


def _with_objects(scene: Scene, base: str, config: PipelineConfig, runner: _Runner) -> Scene:
    """The scene with objects: its own, or those that a finder finds; `base` is the key of the world it came from."""
    if config.objects == "none":
        runner.forget_after("scene")
        return scene
    if config.objects == "auto" and scene.objects:
        runner.unused(given(config, "find", "masks_by"), "the source has objects; --objects detector looks for others")
        return scene
    from spaceland.objects.attach import read_found, with_objects, write_found

    world = World.of(scene, base, runner.done[-1] if runner.done else None)

    def make(folder: Path) -> Mapping[str, Any]:
        finder = make_finder(config)
        with runner.bar("objects", len(scene.frames)) as advance:
            found = finder.find(scene, advance)
        found, notes = with_lasting_ids(found, world, read_earlier(folder), own_ids=brings_ids(config))
        write_found(found, folder)
        for note in notes:
            runner.note(note)
        return found.report

    settings = {**finder_settings(config), "scene": None if runner.done else _frames_key(scene)}
    try:
        stage = runner.run("objects", settings, make)
    except DependencyError as error:
        if config.objects != "auto":
            raise
        runner.note(f"no objects are looked for: {error}")
        return scene
    found = read_found(stage.folder)
    if not found.objects:
        runner.note("no objects were found; the pictures will carry no numbers")
    return with_objects(scene, found)


def _scene_key(source: str, scene: Scene) -> str:
    return f"{source} {_frames_key(scene)}"


def _frames_key(scene: Scene) -> str:
    """Changes when frames, poses, or the content of a few frames do."""
    state = hashlib.blake2b(scene.id.encode(), digest_size=12)
    for frame in scene.frames:
        state.update(frame.id.encode() + frame.T_world_cam.tobytes())
    for frame in pick(scene.frames, 1, 4):
        state.update(frame.content_key().encode())
    if scene.surface is not None:
        state.update(scene.surface.vertices.tobytes())
    return state.hexdigest()
