"""Charts count right and say their numbers."""

from __future__ import annotations

import math
import re

from hypothesis import given
from hypothesis import strategies as st

from spaceland.viewer.charts import bars, bin_values, count_chart, heat_map, histogram, nice_step

VALUES = st.lists(st.floats(-1e4, 1e4).map(lambda v: round(v, 3)), min_size=1, max_size=60)


@given(VALUES)
def test_bins_hold_every_value_once(values: list[float]) -> None:
    step = nice_step(min(values), max(values))
    first, counts = bin_values(values, step)
    assert sum(counts) == len(values)
    assert 1 <= len(counts) <= 14
    assert first <= min(values) + 1e-6 * step
    assert max(values) < first + len(counts) * step + 1e-6 * step
    mantissa = step / 10 ** math.floor(math.log10(step) + 1e-9)
    assert min(abs(mantissa - nice) for nice in (1, 2, 2.5, 5)) < 1e-6


def test_histogram_by_hand() -> None:
    # 0.3 to 2.6 in steps of 0.2 needs the bins 0.2..2.8: 13 of them.
    chart = histogram([0.3, 0.3, 2.6], "m")
    assert nice_step(0.3, 2.6) == 0.2
    titles = re.findall(r"<title>(.*?)</title>", chart)
    assert titles[0] == "0.2 to 0.4 m: 2"
    assert titles[-1] == "2.6 to 2.8 m: 1"
    assert len(titles) == 13


def test_values_that_are_no_numbers_are_left_out() -> None:
    assert "no numbers" in histogram([math.nan, math.inf])
    assert "no numbers" in histogram([])


def test_count_chart_shows_empty_places() -> None:
    assert re.findall(r"<title>(.*?)</title>", count_chart({1: 4, 3: 2})) == ["1: 4", "2: 0", "3: 2"]
    assert "<svg" in count_chart({1: 1, 10**9: 1})


def test_bars_and_heat_map() -> None:
    chart = bars([("<b>", 3), ("x" * 60, 1)], total=4)
    assert "&lt;b&gt;" in chart and "<b>" not in chart
    assert "3 (75 %)" in chart and "1 (25 %)" in chart
    assert heat_map([[0, 2], [1, 0]]).count("<title>") == 2
    assert "none" in bars([])
