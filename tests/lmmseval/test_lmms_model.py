"""Our models behind the interface of lmms-eval, on stand-ins for its base classes; test_lmms_harness has the real."""

from __future__ import annotations

import importlib
import json
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from spaceland.chat.types import Generation, Message, Reply
from spaceland.errors import ChatError


@dataclass
class TokenCounts:
    input_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None


@dataclass
class GenerationResult:
    text: str
    token_counts: TokenCounts | None = None


class Base:
    def __init__(self) -> None:
        self._rank, self._world_size = 0, 1
        self.task_dict: dict[str, Any] = {}


class Echo:
    """A model that says what it was asked, slowly for the first rows, so that order has to be kept."""

    name = "echo"

    def __init__(self) -> None:
        self.asked: list[tuple[int, Generation]] = []
        self.lock = threading.Lock()

    def complete(self, messages: Sequence[Message], generation: Generation) -> Reply:
        words = str(messages[-1].content[-1])
        time.sleep(0.02 if words.endswith("0") else 0)
        with self.lock:
            self.asked.append((1, generation))
        if "fail" in words:
            raise ChatError("the server is down")
        return Reply(f"said {words}", "echo", usage={"prompt_tokens": 3, "completion_tokens": 2})


class BatchEcho(Echo):
    def complete_many(self, chats: Sequence[Sequence[Message]], generation: Generation) -> list[Reply | ChatError]:
        with self.lock:
            self.asked.append((len(chats), generation))
        return [Reply(f"said {chat[-1].content[-1]}", "echo") for chat in chats]


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    modules = {name: ModuleType(name) for name in ("lmms_eval", "lmms_eval.api", "lmms_eval.api.instance",
                                                   "lmms_eval.api.model")}  # fmt: skip
    vars(modules["lmms_eval.api.instance"]).update(TokenCounts=TokenCounts, GenerationResult=GenerationResult)
    vars(modules["lmms_eval.api.model"]).update(lmms=Base)
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.delitem(sys.modules, "spaceland.lmmseval.model", raising=False)
    yield importlib.import_module("spaceland.lmmseval.model")
    sys.modules.pop("spaceland.lmmseval.model", None)


def requests(lm: Any, words: Sequence[str], settings: Sequence[dict[str, Any]] = ()) -> list[SimpleNamespace]:
    """As `ConfigurableMessagesTask.construct_requests` makes them."""
    lm.task_dict["t"] = {"test": [{"benchmark": "scanqa", "id": f"id-{text}", "words": text} for text in words]}

    def messages(doc: dict[str, str]) -> list[dict[str, Any]]:
        return [{"role": "user", "content": [{"type": "text", "text": doc["words"]}]}]

    every = settings or [{"max_new_tokens": 7, "temperature": 0.0, "until": []}] * len(words)
    return [
        SimpleNamespace(args=(f"ctx {text}", messages, how, place, "t", "test"))
        for place, (text, how) in enumerate(zip(words, every, strict=True))
    ]


@pytest.mark.parametrize("kind", ["openai:echo@http://x", "local:echo"])
def test_replies_come_in_order(model: ModuleType, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    echo = Echo() if kind.startswith("openai") else BatchEcho()
    monkeypatch.setattr(model, "open_model", lambda spec, options: echo)
    lm = model.SpacelandChat(model=kind, batch_size="2", max_batch_size=None, concurrency=3)
    words = [f"q{k}" for k in range(5)]
    found = list(lm.generate_until(requests(lm, words)))
    assert [one.text for one in found] == [f"said {text}" for text in words]
    if kind.startswith("openai"):
        assert found[0].token_counts == TokenCounts(3, 2, None)
        assert all(generation == Generation(7, 0.0, None) for _, generation in echo.asked)
    else:
        assert [count for count, _ in echo.asked] == [2, 2, 1]


def test_requests_of_other_settings_are_not_mixed(model: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    echo = BatchEcho()
    monkeypatch.setattr(model, "open_model", lambda spec, options: echo)
    lm = model.SpacelandChat(model="local:echo", batch_size=8)
    how = [{"max_new_tokens": 7}, {"max_new_tokens": 7}, {"max_tokens": 9, "temperature": 0.5}, {}]
    assert len(list(lm.generate_until(requests(lm, ["a", "b", "c", "d"], how)))) == 4
    assert echo.asked == [(2, Generation(7)), (1, Generation(9, 0.5, 0)), (1, Generation(512))]


def test_a_failure_stops_the_run_after_what_was_answered(model: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """lmms-eval's cache writes replies one by one, so they are handed over before the error."""
    monkeypatch.setattr(model, "open_model", lambda spec, options: Echo())
    lm = model.SpacelandChat(model="openai:echo@http://x", concurrency=3)
    replies = lm.generate_until(requests(lm, ["a", "b", "c", "d", "fail", "f"]))
    assert [next(replies).text for _ in range(4)] == ["said a", "said b", "said c", "said d"]
    with pytest.raises(ChatError, match="the server is down"):
        next(replies)


def test_arguments_are_checked(model: ModuleType) -> None:
    with pytest.raises(ChatError, match="no 'model'"):
        model.SpacelandChat()
    with pytest.raises(ChatError, match="'pretrained', which this model does not take"):
        model.SpacelandChat(model="local:x", pretrained="y")
    with pytest.raises(ChatError, match="batch_size of 1 or more, not 'auto'"):
        model.SpacelandChat(model="local:x", batch_size="auto")
    with pytest.raises(ChatError, match="is no model"):
        model.SpacelandChat(model="x")


def test_replay(model: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "said.jsonl"
    path.write_text("".join(json.dumps({"id": f"id-{k}", "prediction": f"p{k}"}) + "\n" for k in "ba"))
    lm = model.SpacelandReplay(predictions=str(path), batch_size=1)
    assert lm.generate_until(requests(lm, ["a", "b"])) == ["pa", "pb"]
    with pytest.raises(ChatError, match="no prediction for 'id-c' of t"):
        lm.generate_until(requests(lm, ["a", "c"]))
    # The predictions of a run: a row that was asked again has two lines.
    lines = [{"id": "id-a", "prediction": text, "prompt_sha256": "x"} for text in ("old", "new")]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    again = model.SpacelandReplay(predictions=str(path))
    assert again.generate_until(requests(again, ["a"])) == ["new"]
    asked = requests(lm, ["a"])
    lm.task_dict["t"]["test"] = [{"id": "id-a"}]
    with pytest.raises(ChatError, match="t is no task of spaceland"):
        lm.generate_until(asked)
    with pytest.raises(NotImplementedError, match="no likelihood"):
        lm.loglikelihood([])
