"""Leaderboard and gallery in a real browser: no errors, no requests, and hostile text stays text."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from spaceland.benchmarks import find_benchmark
from spaceland.benchmarks.known import ScoreError
from spaceland.cli import run
from spaceland.evaluation.board import write_board
from spaceland.evaluation.compare import compare
from spaceland.evaluation.gallery import write_gallery
from spaceland.evaluation.loaded import load_results
from spaceland.evaluation.published import PUBLISHED
from spaceland.evaluation.result import build_result

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
ATTACK = "document.documentElement.dataset.hacked=1"
PAYLOADS = (
    f"<script>{ATTACK}</script>",
    f'"><img src=x onerror="{ATTACK}">',
    f"</pre></td><svg/onload={ATTACK}>",
    f"javascript:{ATTACK}",
)


def load(page: Path, tmp_path: Path) -> tuple[str, list[str]]:
    """The document after loading, and what went to the console."""
    assert CHROMIUM is not None
    flags = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage",
             "--disable-background-networking", "--enable-logging=stderr", "--dump-dom")  # fmt: skip
    command = [CHROMIUM, *flags, f"--user-data-dir={tmp_path / 'profile'}", page.as_uri()]
    done = subprocess.run(command, capture_output=True, timeout=180, check=True)
    return done.stdout.decode(), [
        line for line in done.stderr.decode(errors="replace").splitlines() if "CONSOLE" in line
    ]


def results(
    rows: list[dict[str, Any]], tmp_path: Path, names: tuple[str, ...], benchmark: str = "vsibench"
) -> list[Path]:
    chosen, paths = find_benchmark(benchmark), []
    by_id = {chosen.row_id(chosen.adapt(row) if chosen.adapt else row): row for row in rows}
    for k, name in enumerate(names):
        records = {
            row_id: {"prediction": PAYLOADS[i % 4] if i % 3 != k else str(row.get("ground_truth", "0, 0, 0, 1, 1, 1"))}
            for i, (row_id, row) in enumerate(by_id.items())
        }
        result = build_result(chosen, "official", by_id, records, {"model": {"name": name, "revision": PAYLOADS[0]}})
        paths.append(tmp_path / f"{k}.json")
        paths[-1].write_text(json.dumps(result))
    return paths


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="needs headless Chromium (Debian: apt install chromium)")
def test_pages_in_a_browser(rows: list[dict[str, Any]], videos: Path, tmp_path: Path) -> None:
    for k, row in enumerate(rows):
        row["question"] = f"{PAYLOADS[k % 4]} Question {k}?"
        if row["options"]:
            row["options"] = [f"{option} {PAYLOADS[k % 4]}" for option in row["options"]]
    loaded = load_results(results(rows, tmp_path, PAYLOADS[:2]))
    board, gallery = tmp_path / "board.html", tmp_path / "gallery.html"
    write_board([compare(loaded)], board)
    shown = write_gallery(loaded, rows, videos, gallery, most=12)
    for page in (board, gallery):
        dom, console = load(page, tmp_path)
        assert "data-hacked" not in dom and not console
        assert "&lt;script&gt;document" in dom and "<script>" not in dom and '<img src="x"' not in dom
    assert shown == 12 and dom.count("<article") == 12 and dom.count("data:image/jpeg") == 12


def test_board_marks_what_is_published(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    page = tmp_path / "board.html"
    assert run(["compare", *map(str, results(rows, tmp_path, ("one", "two"))), "--html", str(page)]) == 0
    html = page.read_text()
    count = sum(one.benchmark == "vsibench" for one in PUBLISHED)
    assert html.count('class="pill">published') == count and html.count("measured here") == 2 + 1  # and in the heading
    assert "EASI, Benchmark_Verification" in html and "38.67" in html
    assert "SPAR-Bench" not in html


def test_published_figures_have_a_source_and_a_known_protocol() -> None:
    for one in PUBLISHED:
        assert one.source and 0 < one.value <= 1000


def test_gallery_shows_the_worst_and_the_disputed(rows: list[dict[str, Any]], videos: Path, tmp_path: Path) -> None:
    paths = results(rows, tmp_path, ("one", "two"))
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    page = tmp_path / "gallery.html"
    argv = ["compare", *map(str, paths), "--gallery", str(page), "--rows", str(tmp_path / "rows.json")]
    assert run([*argv, "--media", str(videos), "--task", "route_planning", "--show", "3"]) == 0
    html = page.read_text()
    assert html.count("<article") == 3 and "route_planning" in html and "object_counting" not in html
    assert "frames 0, 1, 2" in html and "expected: " in html
    # Pictures that are not there are said so.
    assert run([*argv, "--show", "2"]) == 0
    assert page.read_text().count("no picture: ") == 2


def test_gallery_draws_boxes_and_plans(tmp_path: Path) -> None:
    from rows_scanrefer import make_rows

    rows = make_rows(6, 1)
    page = tmp_path / "g.html"
    loaded = load_results(results(rows, tmp_path, ("one",), "scanrefer"))
    write_gallery(loaded, rows, tmp_path, page)
    html = page.read_text()
    assert html.count("boxes from above") >= 3 and "k-red" in html and "k-green" in html
    with pytest.raises(ScoreError, match="nothing to show"):
        write_gallery(loaded, rows, tmp_path, page, task="other")
