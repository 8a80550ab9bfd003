"""The line of work: one at a time, in order, stopped and resumed."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from web_help import Hand

from spaceland.errors import SourceError
from spaceland.web import Desk
from spaceland.web.desk import MOST_WAITING
from spaceland.web.jobs import Job, Order


def order(source: str) -> Order:
    return Order(source=source, title=source)


def wait_for(job: Job, state: str) -> None:
    ends = time.monotonic() + 60
    while job.state != state:
        assert time.monotonic() < ends, (job.state, job.error)
        time.sleep(0.005)


@pytest.fixture
def desk(tmp_path: Path, hand: Hand):
    made = Desk(tmp_path, make=hand)
    yield made
    for _ in range(10):
        hand.go.release()
    made.close()


def test_two_jobs_one_after_the_other(desk: Desk, hand: Hand) -> None:
    first, second = desk.add(order("rooms:1")), desk.add(order("rooms:5"))
    assert hand.began.acquire(timeout=60)
    state = desk.state()
    assert [entry["state"] for entry in state["jobs"]] == ["running", "waiting"]
    assert state["waiting"] == [second.id] and hand.made == ["rooms:1"]
    for _ in range(3):
        hand.go.release()
    wait_for(second, "done")
    assert first.state == "done" and hand.made == ["rooms:1", "rooms:5"]
    (step,) = state_of(desk, first)["steps"]
    assert (step["label"], step["done"], step["total"], step["over"]) == ("counting", 3, 3, True)


def state_of(desk: Desk, job: Job) -> dict:
    return next(entry for entry in desk.state()["jobs"] if entry["id"] == job.id)


def test_stop_and_resume(desk: Desk, hand: Hand) -> None:
    job, next_one = desk.add(order("rooms:1")), desk.add(order("rooms:5"))
    assert hand.began.acquire(timeout=60)
    hand.go.release()
    assert hand.began.acquire(timeout=60)  # one step is done, the second has begun
    desk.stop(job)
    assert job.state == "stopping"
    hand.go.release()
    wait_for(next_one, "done")
    assert job.state == "stopped" and job.error == ""
    assert all(step["over"] for step in state_of(desk, job)["steps"])
    desk.resume(job)
    assert hand.began.acquire(timeout=60)
    assert hand.kept == 1, "the first step is not done again"
    for _ in range(2):
        hand.go.release()
    wait_for(job, "done")
    desk.resume(job)
    assert job.state == "done", "there is nothing to resume"


def test_a_job_that_waits_leaves_the_line(desk: Desk, hand: Hand) -> None:
    first, second = desk.add(order("rooms:1")), desk.add(order("rooms:5"))
    assert hand.began.acquire(timeout=60)
    desk.stop(second)
    assert second.state == "stopped" and desk.state()["waiting"] == []
    for _ in range(3):
        hand.go.release()
    wait_for(first, "done")
    assert hand.made == ["rooms:1"]
    desk.resume(second)
    wait_for(second, "done")


def test_a_failed_job_can_be_tried_again(desk: Desk, hand: Hand) -> None:
    job = desk.add(order("rooms:2"))
    wait_for(job, "failed")
    desk.resume(job)
    assert job.error == ""
    wait_for(job, "failed")
    assert hand.made == ["rooms:2", "rooms:2"] and "walk more" in job.error


def test_the_line_has_an_end(desk: Desk, hand: Hand) -> None:
    desk.add(order("rooms:1"))
    assert hand.began.acquire(timeout=60)
    for _ in range(MOST_WAITING):
        desk.add(order("rooms:5"))
    with pytest.raises(SourceError, match="waiting already"):
        desk.add(order("rooms:5"))
    assert len(desk.jobs) == MOST_WAITING + 1
