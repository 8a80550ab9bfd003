"""The journal of verdicts: nothing is lost, half-written lines are left out; intervals against known values."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from review_rows import make_row
from scipy.stats import binomtest

from spaceland.errors import OutputError
from spaceland.review.verdicts import REASONS, Journal, Verdict, acceptance, row_hash, wilson_interval

ROWS = [make_row(k) for k in range(4)] + [make_row(k, "room_size") for k in range(2)]


def test_verdicts_are_there_when_opened_again(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path / "review.jsonl")
    journal.record(ROWS[0], Verdict("accept"))
    journal.record(ROWS[1], Verdict("reject", REASONS[0]))
    journal.record(ROWS[2], Verdict("accept"))
    journal.record(ROWS[2], None)
    journal.record(ROWS[0], Verdict("reject", REASONS[2]))
    for opened in (journal, Journal.open(journal.path)):
        said = [opened.verdict(row) for row in ROWS[:3]]
        assert said == [Verdict("reject", REASONS[2]), Verdict("reject", REASONS[0]), None]
    assert len(journal.path.read_text().splitlines()) == 5


@pytest.mark.parametrize("cut", range(1, 40, 6))
def test_a_line_cut_in_half_costs_only_itself(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "review.jsonl"
    journal = Journal.open(path)
    journal.record(ROWS[0], Verdict("accept"))
    journal.record(ROWS[1], Verdict("accept"))
    path.write_bytes(path.read_bytes()[:-cut])
    opened = Journal.open(path)
    assert opened.verdict(ROWS[0]) == Verdict("accept")
    opened.record(ROWS[2], Verdict("accept"))
    again = Journal.open(path)
    assert again.verdict(ROWS[0]) == again.verdict(ROWS[2]) == Verdict("accept")
    # Without its newline a line is still whole.
    assert again.verdict(ROWS[1]) == (Verdict("accept") if cut == 1 else None)
    assert again.num_unreadable == (0 if cut == 1 else 1)


def test_other_lines_do_not_count(tmp_path: Path) -> None:
    path = tmp_path / "review.jsonl"
    odd = ["{}", "[]", "3", "\xff\x00", '{"id": "a", "row": "b", "verdict": "maybe"}', "", "[" * 5000]
    path.write_text("\n".join(odd) + "\n")
    journal = Journal.open(path)
    assert journal.entries == {} and journal.num_unreadable == 6


def test_a_changed_row_has_no_verdict(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path / "review.jsonl")
    journal.record(ROWS[0], Verdict("accept"))
    assert journal.verdict({**ROWS[0], "answer": "9"}) is None
    assert journal.verdict({**ROWS[0], "facts": {}}) == Verdict("accept"), "facts are not shown as such"
    assert row_hash({**ROWS[0], "options": []}) == row_hash({**ROWS[0], "options": None})
    assert row_hash(ROWS[0]) == row_hash(json.loads(json.dumps(ROWS[0])))


def test_killed_process_keeps_every_verdict_it_reported(tmp_path: Path) -> None:
    """A process says each verdict that is saved, and is killed in the middle of its work."""
    program = (
        "import sys; sys.path[:0] = sys.argv[2:]\n"
        "from pathlib import Path; from review_rows import make_row\n"
        "from spaceland.review.verdicts import Journal, Verdict\n"
        "journal = Journal.open(Path(sys.argv[1]))\n"
        "for k in range(10**6):\n"
        "    journal.record(make_row(k), Verdict('accept')); print(k, flush=True)\n"
    )
    path = tmp_path / "review.jsonl"
    command = [sys.executable, "-c", program, str(path), str(Path(__file__).parent)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(25)]
        os.kill(process.pid, signal.SIGKILL)
        said += process.stdout.readlines()
    last = max(int(line) for line in said if line.endswith("\n"))
    assert last >= 24
    journal = Journal.open(path)
    assert all(journal.verdict(make_row(k)) == Verdict("accept") for k in range(last + 1))


def test_many_threads(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path / "review.jsonl")

    def work(part: int) -> None:
        for k in range(10):
            journal.record(make_row(10 * part + k), Verdict("accept"))

    threads = [threading.Thread(target=work, args=(part,)) for part in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    again = Journal.open(journal.path)
    assert len(again.entries) == 40 and not again.num_unreadable


def test_a_verdict_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path / "none" / "review.jsonl")
    with pytest.raises(OutputError, match="cannot write"):
        journal.record(ROWS[0], Verdict("accept"))
    assert journal.verdict(ROWS[0]) is None


@pytest.mark.parametrize(("successes", "total"), [(0, 5), (1, 7), (19, 20), (20, 20), (50, 100), (970, 1000)])
def test_wilson_interval_is_scipys(successes: int, total: int) -> None:
    expected = binomtest(successes, total).proportion_ci(0.95, method="wilson")
    assert wilson_interval(successes, total) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_no_verdicts_know_nothing() -> None:
    assert wilson_interval(0, 0) == (0.0, 1.0)


def test_acceptance_by_task(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path / "review.jsonl")
    for k, verdict in enumerate(("accept", "accept", "accept", "reject")):
        journal.record(ROWS[k], Verdict(verdict, REASONS[1] if verdict == "reject" else ""))
    journal.record(ROWS[4], Verdict("accept"))
    found = {entry.task: entry for entry in acceptance(journal, ROWS)}
    assert list(found) == ["depth_prediction_oc", "room_size", "all"]
    assert found["depth_prediction_oc"].share == 0.75
    assert found["depth_prediction_oc"].reasons == ((REASONS[1], 1),)
    assert (found["all"].accepted, found["all"].rejected) == (4, 1)
    low, high = found["depth_prediction_oc"].low, found["depth_prediction_oc"].high
    assert (low, high) == wilson_interval(3, 4)
    changed = [{**row, "question": "?"} for row in ROWS]
    assert acceptance(journal, changed) == []
