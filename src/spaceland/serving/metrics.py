"""Counters, gauges and histograms, and the text in which Prometheus reads them."""

from __future__ import annotations

import bisect
import threading
from collections.abc import Callable, Mapping, Sequence

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
SIZES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
_PREFIX = "spaceland_"


class Metrics:
    """Numbers about a server; safe to share between threads. Names and labels are ours, never a client's."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._help: dict[str, tuple[str, str]] = {}
        self._counts: dict[str, dict[str, float]] = {}
        self._gauges: dict[str, Callable[[], float]] = {}
        self._edges: dict[str, Sequence[float]] = {}
        self._buckets: dict[str, list[int]] = {}
        self._sums: dict[str, float] = {}

    def counter(self, name: str, text: str) -> None:
        """Declare a number that only grows."""
        self._help[name] = ("counter", text)
        self._counts[name] = {}

    def gauge(self, name: str, text: str, read: Callable[[], float]) -> None:
        """Declare a number that is read when somebody asks."""
        self._help[name] = ("gauge", text)
        self._gauges[name] = read

    def histogram(self, name: str, text: str, edges: Sequence[float]) -> None:
        """Declare a distribution; `edges` are the buckets' upper ends, ascending."""
        self._help[name] = ("histogram", text)
        self._edges[name], self._buckets[name], self._sums[name] = edges, [0] * (len(edges) + 1), 0.0

    def add(self, name: str, amount: float = 1, **labels: str) -> None:
        """Let a counter grow."""
        key = _labels(labels)
        with self._lock:
            self._counts[name][key] = self._counts[name].get(key, 0) + amount

    def observe(self, name: str, value: float) -> None:
        """Note a value of a distribution."""
        with self._lock:
            self._buckets[name][bisect.bisect_left(self._edges[name], value)] += 1
            self._sums[name] += value

    def value(self, name: str, **labels: str) -> float:
        """A counter as it stands, or how many values a distribution has."""
        with self._lock:
            return sum(self._buckets[name]) if name in self._buckets else self._counts[name].get(_labels(labels), 0)

    def text(self) -> str:
        """Everything in Prometheus' text format 0.0.4."""
        lines = []
        for name, (kind, about) in self._help.items():
            full = _PREFIX + name
            lines += [f"# HELP {full} {about}", f"# TYPE {full} {kind}"]
            if kind == "gauge":
                lines.append(f"{full} {self._gauges[name]():g}")
                continue
            with self._lock:
                if kind == "counter":
                    lines += [f"{full}{key} {amount:.16g}" for key, amount in (self._counts[name] or {"": 0}).items()]
                    continue
                total = 0
                for edge, count in zip([*map(str, self._edges[name]), "+Inf"], self._buckets[name], strict=True):
                    total += count
                    lines.append(f'{full}_bucket{{le="{edge}"}} {total}')
                lines += [f"{full}_sum {self._sums[name]:.16g}", f"{full}_count {total}"]
        return "\n".join(lines) + "\n"


def _labels(labels: Mapping[str, str]) -> str:
    return "{" + ",".join(f'{name}="{value}"' for name, value in sorted(labels.items())) + "}" if labels else ""
