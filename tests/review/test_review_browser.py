"""The page in a real browser, with real keys: verdicts, reasons, undo, a restart, and pages that try to interfere."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from devtools import CHROMIUM, Page, browser

from spaceland.review import Journal, ReviewServer
from spaceland.review.verdicts import REASONS, Verdict

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="needs headless Chromium (Debian: apt install chromium)"),
]
READY = "document.documentElement.dataset.ready==='yes'"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


def saved(page: Page, count: int) -> None:
    page.wait(f"document.documentElement.dataset.saved==='{count}'")


def at(page: Page, k: int) -> None:
    page.wait(f"document.documentElement.dataset.shown==='{k}'")


def test_a_review_with_the_keyboard(server: ReviewServer, dataset: Path, page: Page) -> None:
    rows, journal = server.samples, dataset / "review.jsonl"
    page.console.clear()
    page.open(server.address)
    page.wait(READY)
    at(page, 0)
    assert "number 0?" in page.value("document.querySelector('.question').textContent")
    assert page.value("document.querySelector('.frame img').naturalWidth") == 80
    page.press("a")
    saved(page, 1)
    assert Journal.open(journal).verdict(rows[0]) == Verdict("accept"), "on the disk before the page goes on"
    at(page, 1)
    page.press("r")
    assert page.value("document.querySelectorAll('#reasons button').length") == len(REASONS)
    page.press("Escape")
    page.press("2")  # without r a number means nothing
    page.press("r")
    page.press("2")
    saved(page, 2)
    assert Journal.open(journal).verdict(rows[1]) == Verdict("reject", REASONS[1])
    at(page, 2)
    page.press("ArrowLeft")
    at(page, 1)
    assert page.value("document.getElementById('state').textContent") == f"rejected: {REASONS[1]}"
    page.press("ArrowRight")
    at(page, 2)
    page.press("u")  # takes the last verdict back, wherever one stands
    saved(page, 3)
    at(page, 1)
    assert Journal.open(journal).verdict(rows[1]) is None
    assert Journal.open(journal).verdict(rows[0]) == Verdict("accept")
    page.press("h")
    assert page.value("getComputedStyle(document.querySelector('.answer')).visibility") == "hidden"
    page.press("h")
    page.click("#b-reject")
    page.click("#reasons button:nth-child(7)")
    saved(page, 4)
    assert Journal.open(journal).verdict(rows[1]) == Verdict("reject", "other")
    assert not page.console


def test_it_goes_on_where_it_stopped(server: ReviewServer, dataset: Path, page: Page) -> None:
    for row in server.samples[:2]:
        server.journal.record(row, Verdict("accept"))
    page.open(server.address)
    page.wait(READY)
    at(page, 2)
    assert page.value("document.getElementById('count').textContent") == "2 decided, 2 accepted"
    for k in range(2, 5):
        at(page, k)
        page.press("a")
        saved(page, k - 1)
    page.wait("document.getElementById('problem').textContent==='Every sample is decided.'")
    journal = Journal.open(dataset / "review.jsonl")
    assert all(journal.verdict(row) == Verdict("accept") for row in server.samples)


def test_a_verdict_that_is_not_saved_is_not_shown_as_saved(server: ReviewServer, tmp_path: Path, page: Page) -> None:
    page.open(server.address)
    page.wait(READY)
    at(page, 0)
    server.journal.path = tmp_path / "none" / "review.jsonl"
    page.press("a")
    page.wait("document.getElementById('problem').textContent.startsWith('Not saved')")
    assert page.value("document.getElementById('state').textContent") == "not decided"


def test_without_the_key_nothing_is_shown(server: ReviewServer, page: Page) -> None:
    page.open(f"http://127.0.0.1:{server.port}/")
    page.wait("document.getElementById('problem').textContent.includes('ends with a key')")
    page.open(f"http://127.0.0.1:{server.port}/#wrong")
    page.wait("document.getElementById('problem').textContent.includes('wrong key')")
    assert page.value("document.querySelectorAll('article').length") == 0


def test_other_pages_cannot_decide(server: ReviewServer, dataset: Path, page: Page) -> None:
    """A page of another origin tries what browsers allow; even with the key it could not."""

    class Other(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<title>other</title>")

        def log_message(self, format: str, *args: object) -> None: ...

    other = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Other)
    other.daemon_threads = True
    thread = threading.Thread(target=other.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        page.open(f"http://127.0.0.1:{other.server_address[1]}/")
        page.wait("document.title==='other'")
        body = json.dumps({"k": 0, "id": server.samples[0]["id"], "verdict": "accept", "reason": ""})
        target = f"http://127.0.0.1:{server.port}/verdict"
        for options in (
            {"method": "POST", "body": body, "mode": "no-cors"},
            {"method": "POST", "body": body, "headers": {"X-Spaceland-Key": server.key}},
            {"method": "POST", "body": body, "mode": "no-cors", "headers": {"X-Spaceland-Key": server.key}},
        ):
            call = f"fetch({json.dumps(target)},{json.dumps(options)}).then(function(){{}},function(){{}})"
            page.value(call)
        samples = f"fetch('http://127.0.0.1:{server.port}/samples').then(function(r){{return 'read';}},"
        assert page.value(samples + "function(){return 'refused';})") == "refused"
        assert not (dataset / "review.jsonl").exists()
    finally:
        other.shutdown()
        other.server_close()
        thread.join()


def test_hostile_rows_do_nothing(dataset: Path, page: Page) -> None:
    row = json.loads((dataset / "rows.jsonl").read_text().splitlines()[0])
    attack = "document.documentElement.dataset.hacked=1"
    row["question"] = f"<script>{attack}</script><img src=x onerror='{attack}'><svg/onload={attack}>"
    rows = [{**row, "id": name, "answer": row["question"]} for name in ("reasons", "b-accept", "main")]
    with ReviewServer(dataset, rows, {}, Journal.open(dataset / "review.jsonl")) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            page.open(server.address)
            page.wait(READY)
            at(page, 0)
            page.press("r")
            page.press("1")
            saved(page, 1)
            at(page, 1)
            assert page.value("document.documentElement.dataset.hacked") is None
            assert server.journal.verdict(rows[0]) == Verdict("reject", REASONS[0])
        finally:
            server.shutdown()
            thread.join()
