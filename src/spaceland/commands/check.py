"""`spaceland check`: what a source holds, what is missing and what is odd."""

from __future__ import annotations

from collections.abc import Sequence
from shlex import quote
from typing import TYPE_CHECKING

import tyro

if TYPE_CHECKING:
    from spaceland.scenes.check import Finding
    from spaceland.scenes.sources import Source


def check(sources: tyro.conf.Positional[tuple[str, ...]], *, full: bool = False, json: bool = False) -> int:
    """Say what a source holds, what is missing and what is odd.

    The exit code is 1 when something is an error: later steps would fail or be wrong.

        spaceland check scannet:/data/scans
        spaceland check 'rgbd:kitchen?up=auto' --full

    Args:
        sources: Scenes, such as rooms:1-4, scannet:/data/scans or a folder.
        full: Decode every image, instead of a sample of 12 frames.
        json: Print JSON for programs.
    """
    from spaceland.errors import SceneError, SourceError
    from spaceland.progress import progress_bar
    from spaceland.scenes.check import Finding, check_scene
    from spaceland.scenes.sources import iterate_scenes

    if not sources:
        raise SourceError("no source given; for example: spaceland check rooms:1")
    jobs = list(iterate_scenes(sources))
    results: dict[str, list[Finding]] = {}
    next_step = _look_from_above(jobs)
    with progress_bar("check", len(jobs)) as advance:
        for _, scene_id, source in jobs:
            try:
                scene = source.open(scene_id)
                results[scene_id] = check_scene(scene, full=full)
                if scene.frames:
                    next_step = f"generate {' '.join(map(quote, sources))} --out out/dataset"
            except (SceneError, SourceError) as error:
                results[scene_id] = [Finding("error", "the scene cannot be opened", 1, str(error))]
            advance(1, scene_id)
    num_errors = sum(finding.level == "error" for findings in results.values() for finding in findings)
    if json:
        _print_json(results)
    else:
        _print(results, next_step)
    return 1 if num_errors else 0


def _print_json(results: dict[str, list[Finding]]) -> None:
    import json
    from dataclasses import asdict

    scenes = [{"scene": name, "findings": [asdict(f) for f in findings]} for name, findings in results.items()]
    print(json.dumps({"scenes": scenes}, indent=1))


def _look_from_above(jobs: Sequence[tuple[str, str, Source]]) -> str:
    """What can be done without any frame: questions are about pictures, the view from above needs none."""
    if not jobs:
        return ""
    spec, scene_id, source = jobs[0]
    which = f" --scene {quote(scene_id)}" if len(source.ids()) > 1 else ""
    return f"mark {quote(spec)}{which} --frames 0 --out out/marked"


def _print(results: dict[str, list[Finding]], next_step: str) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    styles = {"info": "", "warn": "yellow", "error": "bold red"}
    for scene_id, findings in results.items():
        table = Table("", "found", "count", "what to do", title=Text(_printable(scene_id)), title_justify="left")
        for finding in findings:  # Text: what files say is never read as markup
            count = str(finding.count) if finding.count else ""
            cells = (finding.level, finding.what, count, finding.hint)
            table.add_row(*(Text(_printable(cell), style=styles[finding.level]) for cell in cells))
        console.print(table)
    levels = [finding.level for findings in results.values() for finding in findings]
    warnings, errors = levels.count("warn"), levels.count("error")
    counts = ((len(results), "scene"), (errors, "error"), (warnings, "warning"))
    scenes, *rest = (f"{n} {word}{'' if n == 1 else 's'}" for n, word in counts)
    console.print(f"{scenes}: {', '.join(rest)}", highlight=False)
    if next_step and not errors:
        console.print(f"Next: spaceland {next_step}", highlight=False, markup=False, soft_wrap=True)


def _printable(text: str) -> str:
    """Text from files without control characters, which a terminal would obey."""
    return "".join(c if c.isprintable() else "?" for c in text)
