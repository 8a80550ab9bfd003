"""`spaceland view`: a scene in 3D."""

from __future__ import annotations

import time
from pathlib import Path

import tyro


def view(
    source: tyro.conf.Positional[str],
    *,
    scene: str | None = None,
    rows: Path | None = None,
    row: str | None = None,
    predictions: Path | None = None,
    port: int = 8080,
    frames: int = 24,
    thumbnail: int = 160,
    snapshot: Path | None = None,
) -> int:
    """A scene in 3D: surface, boxes, cameras; with the questions of a dataset and a model's replies.

    The page is served on 127.0.0.1 until Ctrl-C. Choosing a row lights its objects and frames.

        spaceland view rooms:7
        spaceland view rooms:7 --rows out/rooms --predictions replies.jsonl
        spaceland view rooms:7 --snapshot out/room7.html

    Args:
        source: Where the scene is, as for spaceland mark.
        scene: Scene id, needed when the source holds several.
        rows: Dataset folder (or .jsonl file) with questions about the scene.
        row: Id of the row to begin with; the first one by default.
        predictions: Replies, JSONL with "id" and "prediction".
        port: Port of the page; 0 for any free one.
        frames: Cameras to show, evenly spread.
        thumbnail: Longest side of their pictures in pixels; 0 for none.
        snapshot: Write the scene as it is shown into this .viser or .html file, and end.
    """
    from spaceland.errors import OutputError, SceneError
    from spaceland.scenes.sources import open_scene
    from spaceland.viewer.live import LiveConfig, SceneView
    from spaceland.viewer.live_panel import Panel
    from spaceland.viewer.live_rows import read_live_rows
    from spaceland.viewer.live_server import SNAPSHOTS, start_viser, stop_viser, write_snapshot

    if snapshot is not None and snapshot.suffix not in SNAPSHOTS:
        raise OutputError(f"a snapshot ends in {' or '.join(SNAPSHOTS)}, not in '{snapshot.name}'")
    if frames < 0 or thumbnail < 0:
        raise OutputError("--frames and --thumbnail must not be negative")
    if rows is None and (row is not None or predictions is not None):
        raise OutputError("--row and --predictions need --rows: the dataset that they are about")
    opened = open_scene(source, scene)
    found = read_live_rows(rows, opened, predictions) if rows is not None else []
    if row is not None:
        first = [entry for entry in found if entry.row.get("id") == row]
        if not first:
            raise SceneError(f"no row '{row}' about scene {opened.id} in {rows}")
        found = first + [entry for entry in found if entry is not first[0]]
    server = start_viser(0 if snapshot is not None else port)
    try:
        config = LiveConfig(max_frames=frames, thumbnail_px=thumbnail)
        # A row may be about a frame that is not among the few: those of the first rows are shown as well.
        extra = {frame for entry in found[:200] for frame in entry.frames}
        shown = SceneView(server, opened, config, extra if len(extra) <= 4 * max(frames, 1) else found[0].frames)
        Panel(shown, found)
        if snapshot is not None:
            write_snapshot(server, snapshot)
            print(f"Wrote {snapshot}")
            return 0
        print(f"Open http://127.0.0.1:{server.get_port()}")
        print(f"scene {opened.id}: {len(opened.objects)} objects, {len(shown.cameras)} of {len(opened.frames)} frames")
        print("Ctrl-C ends it", flush=True)
        try:
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            print()
    finally:
        stop_viser(server)
    return 0
