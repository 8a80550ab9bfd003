"""The benchmarks by name. One line each: a module that holds `BENCHMARK`, imported when it is asked for."""

from __future__ import annotations

import difflib
import importlib
from types import ModuleType

from spaceland.benchmarks.types import Benchmark
from spaceland.errors import SpacelandError

KNOWN = {
    "vsibench": "spaceland.benchmarks.vsibench",
    "sparbench": "spaceland.benchmarks.sparbench",
    "scanrefer": "spaceland.benchmarks.scanrefer",
    "multi3drefer": "spaceland.benchmarks.multi3drefer",
    "embodiedscan-det": "spaceland.benchmarks.embodiedscan_det",
    "scanqa": "spaceland.benchmarks.scanqa",
    "sqa3d": "spaceland.benchmarks.sqa3d",
    "sqa3d-place": "spaceland.benchmarks.sqa3d_place",
    "scan2cap": "spaceland.benchmarks.scan2cap",
    "scan2cap-dense": "spaceland.benchmarks.scan2cap_dense",
    "cvbench": "spaceland.benchmarks.cvbench",
    "blink": "spaceland.benchmarks.blink",
    "mmsi": "spaceland.benchmarks.mmsi",
    "mindcube": "spaceland.benchmarks.mindcube",
    "viewspatial": "spaceland.benchmarks.viewspatial",
    "site": "spaceland.benchmarks.site",
    "sti": "spaceland.benchmarks.sti",
    "openeqa": "spaceland.benchmarks.openeqa",
    "allangles": "spaceland.benchmarks.allangles",
    "3dsrbench": "spaceland.benchmarks.threedsrbench",
    "embspatial": "spaceland.benchmarks.embspatial",
    "vstibench": "spaceland.benchmarks.vstibench",
    "gptscore": "spaceland.benchmarks.gptscore",
}


class ScoreError(SpacelandError):
    """Rows, predictions, a benchmark and a protocol that do not fit together."""


def benchmark_module(name: str) -> ModuleType:
    """The module of a benchmark: `BENCHMARK`, `prompt(row, protocol_name)` and the frame policy.

    Raises:
        ScoreError: there is no such benchmark.
    """
    if name not in KNOWN:
        close = difflib.get_close_matches(name, KNOWN, n=1)
        hint = f"did you mean '{close[0]}'?" if close else f"known are {', '.join(KNOWN)}"
        raise ScoreError(f"unknown benchmark '{name}'; {hint}")
    return importlib.import_module(KNOWN[name])


def find_benchmark(name: str) -> Benchmark:
    """A benchmark by name.

    Raises:
        ScoreError: there is no such benchmark.
    """
    return benchmark_module(name).BENCHMARK
