"""Small charts as inline SVG: bars, histograms, a heat map. No script; colours come from the page's style sheet.

Every chart returns `Html` and states its numbers as text or as a `<title>` that shows on hover, so nothing can only be
guessed from the length of a bar.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from spaceland.viewer.html import Html, join, number, tag

_WIDTH = 330.0


def nice_step(low: float, high: float, most: int = 14) -> float:
    """The smallest of 1, 2, 2.5 and 5 times a power of ten that covers low..high in at most `most` steps.

    >>> nice_step(0.3, 6.1), nice_step(0, 100), nice_step(3, 3)
    (0.5, 10.0, 0.1)
    """
    least = max((high - low) / most, 0.1)
    power = 10.0 ** math.floor(math.log10(least) + 1e-9)
    for factor in (1.0, 2.0, 2.5, 5.0, 10.0, 20.0):
        step = round(factor * power, 9)
        # A step may need one more bin than (high - low) / step because bins start at multiples of the step.
        if math.floor(high / step + 1e-9) - math.floor(low / step + 1e-9) < most:
            return step
    return round(50 * power, 9)


def bin_values(values: Sequence[float], step: float) -> tuple[float, list[int]]:
    """Left edge of the first bin and the counts; bin k holds first + k * step <= value < first + (k + 1) * step.

    >>> bin_values([0.1, 0.4, 0.6, 1.4], 0.5)
    (0.0, [2, 1, 1])
    """
    places = [math.floor(value / step + 1e-9) for value in values]
    first = min(places)
    counts = [0] * (max(places) - first + 1)
    for place in places:
        counts[place - first] += 1
    return first * step, counts


def histogram(values: Sequence[float], unit: str = "") -> Html:
    """Binned numbers; `unit` shows on hover."""
    finite = [value for value in values if math.isfinite(value) and abs(value) < 1e9]
    if not finite:
        return tag("p", "no numbers", class_="soft small")
    step = nice_step(min(finite), max(finite))
    first, counts = bin_values(finite, step)
    edges = [number(first + k * step) for k in range(len(counts) + 1)]
    titles = [f"{edges[k]} to {edges[k + 1]} {unit}".rstrip() for k in range(len(counts))]
    return _columns(counts, titles, edges, between=True)


def count_chart(counts: Mapping[int, int]) -> Html:
    """How often each whole number occurs."""
    if not counts:
        return tag("p", "no numbers", class_="soft small")
    low, high = min(counts), max(counts)
    if high - low > 40:
        return histogram([float(value) for value, times in counts.items() for _ in range(times)])
    values = list(range(low, high + 1))
    return _columns([counts.get(v, 0) for v in values], [str(v) for v in values], [str(v) for v in values])


def _columns(counts: Sequence[int], titles: Sequence[str], ticks: Sequence[str], *, between: bool = False) -> Html:
    """Upright bars. Ticks stand under the bars, or at bin edges; some are left out where they would touch."""
    top, height, bottom = 16.0, 92.0, 22.0
    pitch = min(_WIDTH / max(len(counts), 1), 46.0)
    most = max(counts)
    parts = []
    for k, count in enumerate(counts):
        bar = height * count / most if most else 0.0
        x = k * pitch
        parts.append(
            tag(
                "rect",
                tag("title", f"{titles[k]}: {count}"),
                class_="c-bar",
                x=x + 1,
                y=top + height - bar,
                width=max(pitch - 2, 1.0),
                height=bar,
                rx=1.5,
            )
        )
        if count and pitch >= 7 * len(str(count)):
            parts.append(_text(x + pitch / 2, top + height - bar - 4, str(count), size=10, anchor="middle"))
    end = len(counts) * pitch
    parts.append(tag("line", class_="c-line", x1=0, x2=end, y1=top + height, y2=top + height))
    every = max(1, math.ceil(max(len(t) for t in ticks) * 7.2 / pitch))
    for k, tick in enumerate(ticks):
        if k % every == 0:
            x = k * pitch if between else (k + 0.5) * pitch
            parts.append(_text(x, top + height + 14, tick, size=10.5, anchor="middle"))
    return _svg(_WIDTH, top + height + bottom, parts, f"histogram: {', '.join(map(str, counts))}")


def bars(counts: Sequence[tuple[str, int]], *, label_width: float = 110.0, total: int | None = None) -> Html:
    """Lying bars with names at the left and counts at the right; with `total`, shares too."""
    if not counts:
        return tag("p", "none", class_="soft small")
    pitch, most = 21.0, max(count for _, count in counts) or 1
    room = _WIDTH - label_width - (74 if total else 44)
    parts = []
    for k, (name, count) in enumerate(counts):
        y = k * pitch
        shown = _shorten(name, int(label_width / 6.3))
        said = f"{count} ({100 * count / total:.0f} %)" if total else str(count)
        length = max(room * count / most, 1.0 if count else 0.0)
        parts += [
            tag(
                "text",
                tag("title", name),
                shown,
                attributes={"text-anchor": "end"},
                x=label_width - 8,
                y=y + 14,
                font_size=12,
                class_="c-ink",
            ),
            tag(
                "rect",
                tag("title", f"{name}: {count}"),
                class_="c-bar",
                x=label_width,
                y=y + 3,
                width=length,
                height=15,
                rx=1.5,
            ),
            _text(label_width + length + 6, y + 14.5, said, size=11),
        ]
    return _svg(_WIDTH, len(counts) * pitch, parts, "; ".join(f"{name} {count}" for name, count in counts))


def heat_map(cells: Sequence[Sequence[int]]) -> Html:
    """A grid of counts, first row at the top; darker is more. Used for positions in images."""
    most = max((max(row) for row in cells), default=0) or 1
    size = 200.0 / max(len(cells), 1)
    parts = [tag("rect", class_="c-line", x=0.5, y=0.5, width=size * len(cells[0]) + 1, height=size * len(cells) + 1)]
    for row, line in enumerate(cells):
        for column, count in enumerate(line):
            if count:
                parts.append(
                    tag(
                        "rect",
                        tag("title", f"{count}"),
                        class_="c-bar",
                        x=1 + column * size,
                        y=1 + row * size,
                        width=size - 1,
                        height=size - 1,
                        fill_opacity=round(0.12 + 0.88 * count / most, 3),
                    )
                )
    return _svg(_WIDTH, size * len(cells) + 2, parts, "positions in the image")


def _text(x: float, y: float, text: str, *, size: float, anchor: str = "start") -> Html:
    return tag("text", text, attributes={"text-anchor": anchor}, x=x, y=y, font_size=size)


def _shorten(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "\N{HORIZONTAL ELLIPSIS}"


def _svg(width: float, height: float, parts: Sequence[Html], title: str) -> Html:
    return tag(
        "svg",
        join(list(parts)),
        attributes={"viewBox": f"0 0 {number(width)} {number(height)}", "role": "img", "aria-label": title[:400]},
    )
