"""Milliseconds a picture of the built-in detector, and seconds from frames to objects.

    python bench/bench_detector.py                                    # a generated room
    python bench/bench_detector.py 'rgbd:/data/kitchen?up=auto'       # a real scan

Goal: about 20 ms a picture on one core.
"""

from __future__ import annotations

import resource
import sys
import time

from spaceland.objects.detector import SsdConfig, SsdFinder
from spaceland.objects.finder import DetectorObjectFinder
from spaceland.scenes.sources import open_source


def main() -> None:
    source = open_source(sys.argv[1] if len(sys.argv) > 1 else "rooms:7?width=640&height=480")
    scene = source.open(source.ids()[0])
    pictures = [frame.color() for frame in scene.frames[:20]]
    for name, config in (
        ("one pass, 1 thread", SsdConfig(threads=1)),
        ("one pass, 2 threads", SsdConfig()),
        ("with quarters, 2 threads", SsdConfig(tiles=True)),
    ):
        finder = SsdFinder(config)
        finder.detect(pictures[0])
        started = time.perf_counter()
        for picture in pictures:
            finder.detect(picture)
        print(f"{name}: {1000 * (time.perf_counter() - started) / len(pictures):.1f} ms a picture")
    started = time.perf_counter()
    found = DetectorObjectFinder().find(scene)
    seconds = time.perf_counter() - started
    memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    looked = found.report["frames"]
    print(f"{len(found.objects)} objects from {looked} frames in {seconds:.1f} s, at most {memory_mb:.0f} MB")


if __name__ == "__main__":
    main()
