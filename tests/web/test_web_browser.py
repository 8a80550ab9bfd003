"""The page in a real browser: a room from its name to an answer, with the pointer lighting things up on the way."""

from __future__ import annotations

import contextlib
import json
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from devtools import CHROMIUM, Page, browser
from web_help import Hand, serving

from chat_server import reply
from chat_server import serving as serving_chat
from spaceland.web import Desk, WebServer
from spaceland.web.work import Models

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="needs headless Chromium (Debian: apt install chromium)"),
]
READY = "document.documentElement.dataset.ready==='yes'"
LIT = "document.documentElement.dataset.lit"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        opened._call("Emulation.setDeviceMetricsOverride", width=1400, height=1500, deviceScaleFactor=1, mobile=False)
        yield opened


def point(page: Page, x: float, y: float) -> None:
    page._call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)


def look(page: Page, name: str) -> None:
    """Keep a picture for people where SPACELAND_SCREENSHOTS names a folder."""
    if folder := os.environ.get("SPACELAND_SCREENSHOTS"):
        page.screenshot(Path(folder) / f"{name}.png")


def classes(page: Page, selector: str) -> list[bool]:
    return page.value(f"[...document.querySelectorAll({json.dumps(selector)})].map(e=>e.classList.contains('lit'))")


def spot(page: Page, selector: str, at: list[float], size: list[float]) -> tuple[float, float]:
    """Where a pixel of a picture lies on the screen."""
    x, y, w, h = page.value(
        f"(function(){{var e=document.querySelector({json.dumps(selector)});"
        "e.scrollIntoView({block:'center',behavior:'instant'});"
        "var r=e.getBoundingClientRect();return [r.x,r.y,r.width,r.height];})()"
    )
    return x + at[0] / size[0] * w, y + at[1] / size[1] * h


@pytest.mark.heavy
def test_from_a_name_to_an_answer(tmp_path: Path, page: Page) -> None:
    with contextlib.ExitStack() as stack:
        log = stack.enter_context(serving_chat(reply("Sit on the <OBJ004>. <img src=x onerror=document.title='bad'>")))
        model = f"openai:fake@{log.url}"
        server = stack.enter_context(serving(Desk(tmp_path, Models((model,)))))
        page.console.clear()
        page.open(server.address)
        page.wait(READY)
        page.value("document.getElementById('source').value='rooms:7?width=320&height=240'")
        page.value("document.getElementById('frames').value=5")
        page.click("#start")
        page.wait("document.querySelectorAll('.steps li').length>=2")
        (job,) = server.desk.jobs.values()
        page.wait("document.documentElement.dataset.shown||!!document.querySelector('.job[data-state=failed]')", 90)
        assert job.error == ""
        marked = job.folder / "marked" / "objects.json"
        record = json.loads(marked.read_text())
        assert page.value("document.querySelectorAll('#objects-shown tr').length") == len(record["objects"])
        assert page.value("document.querySelectorAll('.frame img').length") == 5
        page.wait("[...document.querySelectorAll('img')].every(i=>i.complete&&i.naturalWidth>0)")
        look(page, "web_done")

        # A number on the bird's-eye view lights frames, table and 3D; those frames alone that show it.
        thing = max(record["objects"], key=lambda entry: len(entry["frames"]))
        bev = record["bev"]
        point(page, *spot(page, "#bev img", thing["bev_pixel"], [bev["width"], bev["height"]]))
        page.wait(f"{LIT}==='{thing['mark']}'")
        shown = [any(place["frame"] == frame["id"] for place in thing["frames"]) for frame in record["frames"]]
        seen = classes(page, ".frame")
        assert all(lit for lit, has_disc in zip(seen, shown, strict=True) if has_disc) and classes(page, "#bev") == [
            True
        ]
        assert classes(page, "#space") == [True]
        lit_row = page.value("document.querySelector('#objects-shown tr.lit').textContent")
        assert lit_row.startswith(f"{thing['mark']}{thing['label']}")
        look(page, "web_hover")

        # The same from a frame: a disc, then a place with nothing, then the 3D view.
        point(page, *spot(page, "#title", [0.5, 0.5], [1, 1]))
        page.wait(f"{LIT}===''")
        k = shown.index(True)
        frame = record["frames"][k]
        place = next(p["pixel"] for p in thing["frames"] if p["frame"] == frame["id"])
        selector, size = f".frame:nth-child({k + 1}) img", [frame["width"], frame["height"]]
        point(page, *spot(page, selector, place, size))
        page.wait(f"{LIT}==='{thing['mark']}'")
        assert classes(page, "#bev") == [True]
        point(page, *spot(page, "#title", [0.5, 0.5], [1, 1]))
        page.wait(f"{LIT}===''")
        assert not any(classes(page, ".view"))
        drawn = int(page.value("document.getElementById('solid').dataset.drawn"))
        sweep(page, drawn)

        # Turning the room draws it anew.
        x, y = spot(page, "#solid", [0.3, 0.9], [1, 1])
        before = page.value("document.getElementById('solid').toDataURL()")
        for kind, dx in (("mousePressed", 0), ("mouseMoved", 60), ("mouseReleased", 60)):
            page._call("Input.dispatchMouseEvent", type=kind, x=x + dx, y=y, button="left", buttons=1, clickCount=1)
        page.wait(f"document.getElementById('solid').toDataURL()!=={json.dumps(before)}")

        # A question: what the answer names is lit, what it says is text.
        page.value("document.getElementById('text').value='Where can I sit?'")
        page.click("#send")
        page.wait("!!document.querySelector('#answers li[data-state=done]')", 20)
        page.wait(f"{LIT}==='4'")
        said = page.value("document.querySelector('#answers .said').textContent")
        assert said == "Sit on the 4. <img src=x onerror=document.title='bad'>"
        assert page.value("document.title") == "spaceland"
        assert page.value("document.querySelectorAll('#answers img').length") == 0
        look(page, "web_answer")
        assert len(log.bodies) == 1
        page.value("document.getElementById('text').value='Where can I sit?'")
        page.click("#show")
        page.wait("document.getElementById('request').textContent.includes('Nothing was sent.')")
        assert not [line for line in page.console if "rror" in line], page.console


def sweep(page: Page, drawn: int) -> None:
    """Somewhere in the 3D view the pointer meets an object."""
    for share in (0.35, 0.45, 0.55, 0.65, 0.75):
        for across in (0.3, 0.4, 0.5, 0.6, 0.7):
            point(page, *spot(page, "#solid", [across, share], [1, 1]))
            if page.value(LIT) != "":
                page.wait(f"+document.getElementById('solid').dataset.drawn>{drawn}")
                assert page.value("document.querySelectorAll('#objects-shown tr.lit').length") == 1
                return
    raise AssertionError("no object under the pointer")


def test_a_dropped_file_becomes_a_job(server: WebServer, hand: Hand, page: Page, tmp_path: Path) -> None:
    path = tmp_path / "my <b>room.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "no pictures")
    page.open(server.address)
    page.wait(READY)
    choose(page, path)
    page.wait("!!document.querySelector('.job[data-state=failed]')")
    assert page.value("document.querySelector('.job .name').textContent") == path.name
    assert "holds no recording" in page.value("document.querySelector('.job .error').textContent")
    assert page.value("document.querySelectorAll('.job b').length") == 0
    assert hand.made == []
    look(page, "web_failed")
    other = tmp_path / "notes.exe"
    other.write_bytes(b"x")
    choose(page, other)
    page.wait("document.getElementById('problem').textContent.includes('not taken')")
    large = tmp_path / "large.mp4"
    large.write_bytes(b"x" * 6000)
    choose(page, large)
    page.wait("document.getElementById('problem').textContent.includes('larger than')")
    assert len(server.desk.jobs) == 1


def choose(page: Page, path: Path) -> None:
    document = page._call("DOM.getDocument")["root"]["nodeId"]
    node = page._call("DOM.querySelector", nodeId=document, selector="#file")["nodeId"]
    page._call("DOM.setFileInputFiles", nodeId=node, files=[str(path)])


def test_stop_and_resume_by_hand(server: WebServer, hand: Hand, page: Page) -> None:
    page.open(server.address)
    page.wait(READY)
    page.value("document.getElementById('source').value='rooms:1'")
    page.click("#start")
    page.wait("!!document.querySelector('.job[data-state=running] .steps progress')")
    assert hand.began.acquire(timeout=60)
    look(page, "web_running")
    page.click(".job .does button")
    page.wait("!!document.querySelector('.job[data-state=stopping]')")
    hand.go.release()
    page.wait("!!document.querySelector('.job[data-state=stopped]')")
    page.click(".job .does button")
    page.wait("!!document.querySelector('.job[data-state=running]')")
    for _ in range(3):
        hand.go.release()
    page.wait("!!document.querySelector('.job[data-state=done]')")


def test_without_the_key_nothing_is_shown(server: WebServer, page: Page) -> None:
    page.open(f"http://127.0.0.1:{server.port}/")
    page.wait("document.getElementById('problem').textContent.includes('ends with a key')")
    page.open(f"http://127.0.0.1:{server.port}/#wrong")
    page.wait("document.getElementById('problem').textContent.includes('wrong key')")
