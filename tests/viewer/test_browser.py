"""The pages in a real browser: they work from disk, without errors, and hostile text does nothing."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from page_reader import cards, changed

from spaceland.viewer.index import Image, Section, write_index
from spaceland.viewer.report import write_report

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="needs headless Chromium (Debian: apt install chromium)"),
]
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
    "--virtual-time-budget=3000", "--enable-logging=stderr", "--dump-dom",
)  # fmt: skip


def load(page: Path, tmp_path: Path, *flags: str) -> tuple[str, list[str]]:
    """The document after loading, and what the page wrote to the console."""
    assert CHROMIUM is not None
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", *flags, page.as_uri()]
    done = subprocess.run(command, capture_output=True, timeout=180, check=True)
    console = [line for line in done.stderr.decode(errors="replace").splitlines() if "CONSOLE" in line]
    return done.stdout.decode(), console


def drive(page: Path, script: str) -> Path:
    """A copy of a page that runs one more script; the policy, which would forbid it, is taken out."""
    html = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page.read_text())
    driven = page.with_name("driven.html")
    driven.write_text(html.replace("</body>", f"<script>{script}</script></body>"))
    return driven


def test_report_runs_and_hostile_text_does_not(dataset: Path, tmp_path: Path) -> None:
    attack = "document.documentElement.dataset.hacked=1"
    payloads = [
        f"<script>{attack}</script>",
        f"</script><script>{attack}</script>",
        f'"><img src=x onerror="{attack}">',
        f"<svg/onload={attack}>",
    ]

    def spoil(row: dict[str, Any]) -> None:
        row["question"] = " ".join(payloads) + row["question"]
        row["facts"]["labels"] = {role: payloads[k % 4] for k, role in enumerate(row["facts"]["labels"])}
        row["id"] += payloads[2]

    out = changed(dataset, tmp_path / "d", spoil)
    info = json.loads((out / "info.json").read_text())
    info["sources"], info["config"]["x"] = payloads, payloads
    (out / "info.json").write_text(json.dumps(info))
    result = write_report(out, per_task=2)
    dom, console = load(result.path, tmp_path)
    assert 'data-ready="yes"' in dom, "the page's own script ran to its end"
    assert "data-hacked" not in dom
    assert not console
    assert f"{result.num_samples} of {result.num_samples} samples" in dom
    assert len(cards(dom)) == result.num_samples
    assert "&lt;script&gt;document" in dom


def test_filters_and_quiz(dataset: Path, tmp_path: Path) -> None:
    page = write_report(dataset, tmp_path / "report.html", per_task=3).path
    script = """
    function set(id, value) {
      var e = document.getElementById(id); e.value = value; e.dispatchEvent(new Event("change"));
    }
    set("f-task", "obj_count"); set("f-format", "fill"); document.getElementById("f-quiz").click();
    var seen = Array.from(document.querySelectorAll("article.card")).filter(function (c) { return c.offsetParent; });
    var d = document.documentElement.dataset;
    d.seen = seen.map(function (c) { return c.dataset.task + "/" + c.dataset.format; }).join(",");
    d.answers = seen.map(function (c) { return getComputedStyle(c.querySelector(".answer")).visibility; }).join(",");
    d.headings = Array.from(document.querySelectorAll("h3")).filter(function (h) { return h.offsetParent; }).length;
    """
    dom, console = load(drive(page, script), tmp_path)
    found = dict(re.findall(r'data-(seen|answers|headings)="([^"]*)"', dom))
    assert not console
    assert set(found["seen"].split(",")) == {"obj_count/fill"}
    assert set(found["answers"].split(",")) == {"hidden"}
    assert found["headings"] == "1"


def test_pictures_are_shown_and_narrow_screens_do_not_scroll_sideways(dataset: Path, tmp_path: Path) -> None:
    page = write_report(dataset, tmp_path / "report.html", per_task=2).path
    # Headless windows have a least width, so the narrow screen is a frame.
    (tmp_path / "phone.html").write_text(f'<iframe src="{drive(page, PHONE).name}" width="360" height="700"></iframe>')
    dom, console = load(tmp_path / "phone.html", tmp_path, "--allow-file-access-from-files")
    assert not console
    said = re.search(r'data-said="([^"]*)"', dom)
    assert said is not None
    width, broken = said[1].split(",")
    assert int(width) <= 360
    assert broken == "0"


PHONE = """
var broken = Array.from(document.images).filter(function (i) { return !i.naturalWidth; }).length;
parent.document.documentElement.dataset.said = document.documentElement.scrollWidth + "," + broken;
"""


def test_index_shows_its_pictures(dataset: Path, tmp_path: Path) -> None:
    out = tmp_path / "index"
    shutil.copytree(dataset / "images", out / "images")
    name = f"images/roomA/{next((out / 'images' / 'roomA').iterdir()).name}"
    page = write_index(out, "t", [Section(title="s", images=[Image(name, "c")])])
    html = page.read_text()
    # The policy of the page stays; a second page looks into it.
    (out / "look.html").write_text(
        '<iframe src="index.html"></iframe><script>window.onload = function () {'
        "var i = frames[0].document.images[0]; i.loading = 'eager';"
        "setTimeout(function () { document.documentElement.dataset.width = i.naturalWidth; }, 500); };</script>"
    )
    dom, console = load(out / "look.html", tmp_path, "--allow-file-access-from-files")
    assert "Content-Security-Policy" in html
    assert not console
    assert 'data-width="320"' in dom
