"""How long it takes from a video to poses: keyframes, writing them, features, matching, mapping.

Goal: 60 s for 60 keyframes of 640x480 on two cores.

    python bench/bench_sfm.py room.mp4
    python bench/bench_sfm.py room.mp4 --budget 100
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

from spaceland.files import encode_jpeg, write_bytes
from spaceland.reconstruct.capture import open_capture
from spaceland.reconstruct.capture_files import write_pictures
from spaceland.reconstruct.keyframes import choose_keyframes
from spaceland.reconstruct.sfm import SfmEstimator
from spaceland.scenes.sources import open_scene

GOAL_S = 60.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("capture", nargs="?", help="a video or a folder of photos; default: photos of a sample room")
    parser.add_argument("--budget", type=int, default=60)
    args = parser.parse_args()
    started, busy = time.perf_counter(), time.process_time()

    def tell(what: str) -> None:
        print(f"{time.perf_counter() - started:7.1f} s, {time.process_time() - busy:7.1f} s of processors: {what}")

    folder_of_room = tempfile.TemporaryDirectory()
    capture = open_capture(args.capture or _photos_of_room(Path(folder_of_room.name)))
    tell(f"{len(capture.images)} pictures found")
    keyframes = choose_keyframes(capture, args.budget)
    tell(f"{len(keyframes.indices)} keyframes chosen")
    notes: list[str] = []

    def stage(steps: int, note: str) -> None:
        kind = note.split(" of ")[-1].lstrip("0123456789 ")
        if kind not in notes:
            notes.append(kind)
            tell(note)

    with tempfile.TemporaryDirectory() as folder:
        images = write_pictures(capture, keyframes.indices, Path(folder)).images
        estimate = SfmEstimator().estimate(images, stage)
    tell(f"{len(estimate.views)} of {len(images)} posed (goal {GOAL_S:.0f} s)")
    for name, value in estimate.report.items():
        print(f"  {name}: {value}")
    print(f"  largest memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


def _photos_of_room(folder: Path) -> Path:
    """The pictures of a generated room as files."""
    for frame in open_scene("rooms:7").frames:
        write_bytes(folder / f"{frame.id}.jpg", encode_jpeg(frame.color()))
    return folder


if __name__ == "__main__":
    main()
