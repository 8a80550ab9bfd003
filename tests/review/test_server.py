"""What the server answers, and to whom: this machine, this page, these samples."""

from __future__ import annotations

import http.client
import json
import socket
from pathlib import Path
from typing import Any

import pytest

from spaceland.cli import run
from spaceland.errors import OutputError
from spaceland.review import Journal, ReviewServer
from spaceland.review.verdicts import REASONS, Verdict


def ask(
    server: ReviewServer, method: str, path: str, body: Any = None, *, key: bool = True, **headers: str
) -> tuple[int, str, dict[str, str]]:
    """Status, text and headers of a reply."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if key:
        sent.setdefault("X-Spaceland-Key", server.key)
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
    connection.putrequest(method, path, skip_host="Host" in sent)
    for name, value in sent.items():
        connection.putheader(name, value)
    if data is not None and "Content-Length" not in sent:
        connection.putheader("Content-Length", str(len(data)))
    connection.endheaders(data)
    reply = connection.getresponse()
    text = reply.read().decode()
    connection.close()
    return reply.status, text, {name.lower(): value for name, value in reply.getheaders()}


def verdict(server: ReviewServer, k: int, ruling: str | None, reason: str = "") -> dict[str, Any]:
    return {"k": k, "id": server.samples[k]["id"], "verdict": ruling, "reason": reason}


def test_it_listens_on_this_machine_only(server: ReviewServer) -> None:
    assert server.server_address[0] == "127.0.0.1"
    # Another loopback address shows that it is not bound to all of them.
    with socket.socket() as other:
        other.settimeout(2)
        assert other.connect_ex(("127.0.0.2", server.port)) != 0


def test_page_holds_no_key_and_forbids_everything_else(server: ReviewServer) -> None:
    status, text, headers = ask(server, "GET", "/", key=False)
    assert status == 200 and server.key not in text
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'") and "frame-ancestors 'none'" in policy
    assert "unsafe-inline'; img" in policy and "script-src 'sha256-" in policy
    assert "http:" not in text and "https:" not in text and "src=" not in text
    assert server.address.endswith(f"/#{server.key}") and len(server.key) >= 32


def test_samples_and_cards(server: ReviewServer) -> None:
    listing = json.loads(ask(server, "GET", "/samples")[1])["samples"]
    assert [sample["id"] for sample in listing] == [row["id"] for row in server.samples]
    html = json.loads(ask(server, "GET", "/card?k=1")[1])["html"]
    assert "number 1?" in html and "data:image/jpeg;base64," in html and 'class="p-fact k-red"' not in html
    assert "<script" not in html


def test_verdicts_are_on_the_disk_when_the_page_hears_of_them(server: ReviewServer, dataset: Path) -> None:
    assert ask(server, "POST", "/verdict", verdict(server, 0, "accept"))[0] == 200
    assert ask(server, "POST", "/verdict", verdict(server, 1, "reject", REASONS[3]))[0] == 200
    journal = Journal.open(dataset / "review.jsonl")
    assert journal.verdict(server.samples[0]) == Verdict("accept")
    assert journal.verdict(server.samples[1]) == Verdict("reject", REASONS[3])
    assert ask(server, "POST", "/verdict", verdict(server, 0, None))[0] == 200
    assert Journal.open(dataset / "review.jsonl").verdict(server.samples[0]) is None
    listing = json.loads(ask(server, "GET", "/samples")[1])["samples"]
    assert [sample["verdict"] for sample in listing] == [None, "reject", None, None, None]


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
    ],
)
def test_requests_of_others_are_refused(server: ReviewServer, dataset: Path, headers: dict[str, str]) -> None:
    headers = {name: value.format(port=server.port) for name, value in headers.items()}
    status, text, _ = ask(server, "POST", "/verdict", verdict(server, 0, "accept"), **headers)
    assert status == 403 and "error" in text
    assert ask(server, "GET", "/samples", **headers)[0] == 403
    assert ask(server, "GET", "/card?k=0", **headers)[0] == 403
    assert not (dataset / "review.jsonl").exists()


def test_without_key_or_host(server: ReviewServer) -> None:
    assert ask(server, "GET", "/samples", key=False)[0] == 403
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert b" 403 " in plain.recv(100)


def test_own_origin_is_answered(server: ReviewServer) -> None:
    origin = f"http://127.0.0.1:{server.port}"
    assert ask(server, "POST", "/verdict", verdict(server, 0, "accept"), Origin=origin)[0] == 200


def test_no_preflight_is_granted(server: ReviewServer) -> None:
    status, _, headers = ask(server, "OPTIONS", "/verdict", key=False, Origin="http://evil.example")
    assert status == 501
    assert not [name for name in headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    "path",
    [
        "/../rows.jsonl", "/rows.jsonl", "//etc/passwd", "/images/roomA/000000.jpg", "/..%2f..%2fetc%2fpasswd",
        "/card", "/card?k=5", "/card?k=-1", "/card?k=../../x", "/card?k=%D9%A1", "/card?k=1e9", "/card?k=", "/card/1",
        "/index.html", "/\\..\\x",
    ],
)  # fmt: skip
def test_no_address_is_a_file(server: ReviewServer, path: str) -> None:
    status, text, _ = ask(server, "GET", path)
    assert status == 404 and "root:" not in text and "How deep" not in text


def test_rows_cannot_bring_in_other_files(dataset: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.jpg"
    secret.write_bytes((dataset / "images/roomA/000000.jpg").read_bytes())
    row = json.loads((dataset / "rows.jsonl").read_text().splitlines()[0])
    rows = [{**row, "images": [name]} for name in ("../secret.jpg", str(secret))]
    with ReviewServer(dataset, rows, {}, Journal.open(dataset / "review.jsonl")) as server:
        assert all("lies outside" in server.card(k) and "base64" not in server.card(k) for k in range(2))


@pytest.mark.parametrize(
    "change",
    [
        {"k": 9}, {"k": -1}, {"k": True}, {"k": "0"}, {"id": "other"}, {"verdict": "maybe"}, {"verdict": "reject"},
        {"verdict": "reject", "reason": "<b>"}, {"reason": "other"},
    ],
)  # fmt: skip
def test_nonsense_is_refused(server: ReviewServer, dataset: Path, change: dict[str, Any]) -> None:
    status, _, _ = ask(server, "POST", "/verdict", {**verdict(server, 0, "accept"), **change})
    assert status in (400, 409)
    assert not (dataset / "review.jsonl").exists()


def test_broken_bodies_are_refused(server: ReviewServer, dataset: Path) -> None:
    assert ask(server, "POST", "/verdict", b"{")[0] == 400
    assert ask(server, "POST", "/verdict", b"[" * 9000)[0] == 400
    assert ask(server, "POST", "/verdict", [1])[0] == 400
    assert ask(server, "POST", "/verdict", b"x" * 20_000)[0] == 413
    assert ask(server, "POST", "/verdict")[0] == 411
    assert ask(server, "POST", "/verdict", b"", Content_Length="-5")[0] == 400
    assert not (dataset / "review.jsonl").exists()
    assert ask(server, "POST", "/verdict", verdict(server, 0, "accept"))[0] == 200


def test_a_full_disk_is_told_to_the_page(server: ReviewServer, tmp_path: Path) -> None:
    server.journal.path = tmp_path / "none" / "review.jsonl"
    status, text, _ = ask(server, "POST", "/verdict", verdict(server, 0, "accept"))
    assert status == 500 and "cannot write" in text


def test_a_taken_port_is_an_error(server: ReviewServer, dataset: Path) -> None:
    for port in (server.port, 70_000):
        with pytest.raises(OutputError, match="choose another --port"):
            ReviewServer(dataset, [], {}, Journal(dataset / "review.jsonl"), port)


def test_hostile_text_is_text(dataset: Path) -> None:
    hostile = "</script><script>alert(1)</script><img src=x onerror=alert(1)>"
    row = json.loads((dataset / "rows.jsonl").read_text().splitlines()[0])
    row |= {"question": hostile, "id": hostile, "answer": hostile, "scene": hostile}
    with ReviewServer(dataset, [row], {hostile: 3}, Journal.open(dataset / "review.jsonl")) as server:
        assert "<script" not in server.card(0) and "<img src=x" not in server.card(0)


def test_summary_command(dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [json.loads(line) for line in (dataset / "rows.jsonl").read_text().splitlines()]
    journal = Journal.open(dataset / "review.jsonl")
    for row in rows[:3]:
        journal.record(row, Verdict("accept"))
    journal.record(rows[3], Verdict("reject", REASONS[0]))
    journal.record({**rows[4], "answer": "of an earlier version"}, Verdict("accept"))
    assert run(["review", str(dataset), "--summary", "--json", str(tmp_path / "s.json")]) == 0
    said = capsys.readouterr().out
    assert "100.0%" in said and "1 verdicts are about rows that have changed" in said
    found = {entry["task"]: entry for entry in json.loads((tmp_path / "s.json").read_text())}
    assert found["all"]["accepted"] == 3 and found["all"]["share"] == 0.75
    assert found["room_size"]["reasons"] == [[REASONS[0], 1]]
    assert run(["review", str(tmp_path / "nothing"), "--summary"]) == 2
