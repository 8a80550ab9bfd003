"""What the server answers, and to whom: this machine, this page, files by their place and never by a name."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from web_help import Hand, ask, serving

from spaceland.cli import run
from spaceland.errors import OutputError
from spaceland.web import Desk, WebServer
from spaceland.web.server import _PAGE

POSTS = ("/upload?suffix=.mp4", "/jobs", "/stop", "/resume", "/ask", "/preview")


def job(server: WebServer, source: str = "rooms:5", **settings: Any) -> str:
    status, value, _ = ask(server, "POST", "/jobs", {"source": source, **settings})
    assert status == 200, value
    return value["job"]


def until(server: WebServer, job_id: str, state: str, timeout_s: float = 60.0) -> dict[str, Any]:
    ends = time.monotonic() + timeout_s
    while True:
        entry = next(j for j in ask(server, "GET", "/state")[1]["jobs"] if j["id"] == job_id)
        if entry["state"] == state:
            return entry
        assert time.monotonic() < ends, entry
        time.sleep(0.01)


def test_it_listens_on_this_machine_only(server: WebServer) -> None:
    assert server.server_address[0] == "127.0.0.1"
    with socket.socket() as other:  # another loopback address shows that it is not bound to all of them
        other.settimeout(2)
        assert other.connect_ex(("127.0.0.2", server.port)) != 0


@pytest.mark.parametrize("path", [*_PAGE, "/base.css"])
def test_the_page_holds_no_key_and_needs_nothing_from_elsewhere(server: WebServer, path: str) -> None:
    status, text, headers = ask(server, "GET", path, key=False)
    assert status == 200 and server.key.encode() not in text
    assert b"https://" not in text and b"//cdn" not in text
    assert text.count(b"http://") == text.count(b"http://localhost:8000/v1")  # the example of a model
    assert b"innerHTML" not in text and b"eval(" not in text and b"style=" not in text
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'") and "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy and "http" not in policy
    assert headers["x-content-type-options"] == "nosniff" and headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "headers",
    [
        {"X_Spaceland_Key": "guess"},
        {"X_Spaceland_Key": ""},
        {"Host": "evil.example"},
        {"Host": "evil.example:{port}"},
        {"Host": "127.0.0.1:1"},
        {"Host": "127.0.0.1.evil.example:{port}"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "https://127.0.0.1:{port}"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
)
def test_requests_of_others_are_refused(server: WebServer, headers: dict[str, str]) -> None:
    headers = {name: value.format(port=server.port) for name, value in headers.items()}
    for path in POSTS:
        status, value, _ = ask(server, "POST", path, b"0123456789", **headers)
        assert status == 403 and "error" in value
    for path in ("/state", "/result?job=0", "/file?job=0&name=bev"):
        assert ask(server, "GET", path, **headers)[0] == 403
    if "X_Spaceland_Key" not in headers:
        assert ask(server, "GET", "/", **headers)[0] == 403
    assert ask(server, "GET", "/state")[1]["jobs"] == []
    assert not server.desk.uploads.folder.exists()


def test_without_host(server: WebServer) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert b" 403 " in plain.recv(100)


def test_own_origin_is_answered_and_no_preflight_is_granted(server: WebServer) -> None:
    origin = f"http://127.0.0.1:{server.port}"
    assert ask(server, "POST", "/jobs", {"source": "rooms:5"}, Origin=origin)[0] == 200
    assert ask(server, "OPTIONS", "/jobs", key=False, Origin="http://evil.example")[0] in (403, 501)


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"{", 400, "JSON"),
        (b"[1]", 400, "JSON object"),
        (b"[" * 15000, 400, "JSON"),
        (b" " * 20_001, 413, "too large"),
        ({"source": 3}, 400, "source"),
        ({"source": "x" * 1001}, 400, "source"),
        ({"source": "rooms:5\0"}, 400, "source"),
        ({"source": "rooms:5", "frames": True}, 400, "frames"),
        ({"source": "rooms:5", "frames": 0}, 422, "1 to 64"),
        ({"source": "rooms:5", "frames": 10**9}, 422, "1 to 64"),
        ({"source": "rooms:5", "objects": "masks:/etc"}, 422, "auto, none or detector"),
        ({"source": "rooms:5", "scale": "nonsense"}, 422, ""),
        ({"source": ""}, 422, "no source"),
        ({"source": "python:reader.py"}, 422, "command line"),
        ({"source": "banana:1"}, 422, "banana"),
        ({"upload": "../../etc/passwd"}, 422, "gone"),
        ({"upload": "0123456789abcdef"}, 422, "gone"),
    ],
)
def test_orders_that_make_no_sense(server: WebServer, body: Any, status: int, words: str) -> None:
    found, value, _ = ask(server, "POST", "/jobs", body)
    assert found == status and words in value["error"] and "\n" not in value["error"]
    assert ask(server, "GET", "/state")[1]["jobs"] == []


@pytest.mark.parametrize("path", ["/../server.py", "/static/app.js", "/app.js/../server.py", "/%2e%2e/x", "/jobs/x"])
def test_no_other_addresses(server: WebServer, path: str) -> None:
    assert ask(server, "GET", path)[0] == 404
    assert ask(server, "POST", path, {})[0] == 404


def test_files_only_of_jobs_that_are_done_and_by_place(server: WebServer, hand: Hand) -> None:
    slow = job(server, "rooms:1")
    assert ask(server, "GET", f"/file?job={slow}&name=bev")[0] == 409
    assert ask(server, "GET", f"/result?job={slow}")[0] == 409
    assert ask(server, "GET", "/result?job=nobody")[0] == 404
    for _ in range(3):
        hand.go.release()
    until(server, slow, "done")
    for name in ("", "job.json", "../job.json", "frame_0/../../x", "ids_999", "frame_9999", "room/x", "room.bin.gz"):
        assert ask(server, "GET", f"/file?job={slow}&name={name}")[0] == 404
    status, value, _ = ask(server, "GET", f"/result?job={slow}")  # this work made no files
    assert status == 422 and "objects.json" in value["error"]


def test_errors_of_stages_are_one_sentence(server: WebServer, capsys: pytest.CaptureFixture[str]) -> None:
    failed = until(server, job(server, "rooms:2"), "failed")
    assert failed["error"] == "too little motion: walk more"
    broken = until(server, job(server, "rooms:3"), "failed")
    assert "internal error (ValueError: a bug)" in broken["error"]
    assert "Traceback" in capsys.readouterr().err
    assert until(server, job(server), "done")["error"] == "", "the next job is worked on"


def test_hostile_titles_are_plain_text(server: WebServer) -> None:
    entry = until(server, job(server, title="<img src=x onerror=alert(1)>\u0007\n" + "a" * 500), "done")
    assert entry["title"].startswith("<img src=x onerror=alert(1)> a") and len(entry["title"]) == 120


def test_a_taken_port_is_an_error(server: WebServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(OutputError, match="choose another --port"):
        WebServer(server.desk, server.port)
    assert run(["web", "--port", str(server.port), "--out", str(tmp_path / "other")]) == 2
    assert run(["web", "--model", "nonsense", "--out", str(tmp_path / "other")]) == 2
    assert "no model" in capsys.readouterr().err


def test_questions_need_a_known_model_and_a_job_that_is_done(server: WebServer, hand: Hand) -> None:
    slow = job(server, "rooms:1")
    body = {"job": slow, "text": "Where?", "model": "openai:x@http://127.0.0.1:9/v1"}
    status, value, _ = ask(server, "POST", "/ask", body)
    assert status == 422 and "--model" in value["error"], "the page cannot name servers by itself"
    assert ask(server, "POST", "/ask", {**body, "marks": ["1"]})[0] == 400
    assert ask(server, "POST", "/ask", {**body, "job": "nobody"})[0] == 404
    assert ask(server, "POST", "/preview", {"job": slow, "text": "Where?"})[0] == 422


def test_jobs_outlive_the_server(tmp_path: Path, hand: Hand) -> None:
    with serving(Desk(tmp_path, make=hand)) as first:
        done, slow = job(first), job(first, "rooms:1", title="mine")
        until(first, done, "done")
        assert hand.began.acquire(timeout=60)
        hand.go.release()
        assert hand.began.acquire(timeout=60)
        threading.Timer(0.2, hand.go.release).start()  # the step that runs when the server ends
    (tmp_path / "jobs" / ("0" * 12)).mkdir()
    (tmp_path / "jobs" / ("0" * 12) / "job.json").write_text('{"order": {"source": 3}}')
    with serving(Desk(tmp_path, make=hand)) as second:
        found = {entry["id"]: entry for entry in ask(second, "GET", "/state")[1]["jobs"]}
        assert {k: v["state"] for k, v in found.items()} == {done: "done", slow: "stopped"}
        assert found[slow]["title"] == "mine"
        assert ask(second, "POST", "/resume", {"job": slow})[0] == 200
        for _ in range(3):
            hand.go.release()
        until(second, slow, "done")
        assert hand.kept >= 1, "it went on where it was"
