"""`spaceland save`: scenes of any source as open scene folders."""

from __future__ import annotations

from pathlib import Path

import tyro


def save(
    sources: tyro.conf.Positional[tuple[str, ...]],
    *,
    out: Path = Path("out/scenes"),
    lossless: bool = False,
) -> int:
    """Write scenes as open scene folders: JSON, images, PLY and NPZ that anything can read.

    Run it again to go on after an interruption: scenes that are finished and unchanged are left as they are.

        spaceland save rooms:1-4 --out out/scenes
        spaceland save 'rgbd:kitchen?up=auto&stride=5' --out out/kitchen --lossless

    Args:
        sources: Scenes, such as rooms:1-4, scannet:/data/scans or a folder.
        out: One folder for each scene is made in it.
        lossless: PNG where colours are no files of their own (else JPEG of quality 95), and depth to the last bit.
    """
    from rich.console import Console

    from spaceland.datasets.config import portable_spec
    from spaceland.errors import SceneError, SourceError
    from spaceland.files import write_json
    from spaceland.progress import progress_bar
    from spaceland.scenes.folder_write import check_file_name, fingerprint, is_saved, write_scene
    from spaceland.scenes.sources import iterate_scenes

    if not sources:
        raise SourceError("no source given; for example: spaceland save rooms:1 --out out/scenes")
    console = Console()
    written, kept, failed = 0, 0, {}
    for spec, scene_id, source in list(iterate_scenes(sources)):
        check_file_name(scene_id)
        folder = out / scene_id
        try:
            scene = source.open(scene_id)
            mark = fingerprint(scene, lossless=lossless)
            if is_saved(folder, mark):
                kept += 1
                continue
            with progress_bar(scene_id, len(scene.frames)) as advance:
                write_scene(scene, folder, lossless=lossless, progress=advance)
            # Last of all: only with it is a scene known to be of this source and these settings.
            write_json(folder / "save.json", {"source": portable_spec(spec), "fingerprint": mark})
            written += 1
        except SceneError as error:
            failed[scene_id] = str(error)
    for scene_id, problem in failed.items():
        console.print(f"left out {scene_id}: {problem}", highlight=False, markup=False, soft_wrap=True)
    unchanged = f", {kept} unchanged" if kept else ""
    console.print(f"{written} written{unchanged}: {out}", highlight=False, markup=False, soft_wrap=True)
    if written or kept:
        console.print(f"Next: spaceland check folder:{out}", highlight=False, markup=False, soft_wrap=True)
    return 1 if failed else 0
