"""Answers as OpenAI's servers write them: one JSON object, or a stream of events."""

from __future__ import annotations

import json
from typing import Any

from spaceland.serving.engine import EngineFacts
from spaceland.serving.problems import RequestError
from spaceland.serving.service import Answer


def usage(num_prompt: int, num_answer: int) -> dict[str, int]:
    """Tokens, the one that ends the answer included."""
    return {
        "prompt_tokens": num_prompt,
        "completion_tokens": num_answer,
        "total_tokens": num_prompt + num_answer,
    }


def completion(name: str, facts: EngineFacts, answer: Answer, text: str, finish: str, tokens: int) -> dict[str, Any]:
    """A whole answer; `name` is the request's id."""
    message = {"role": "assistant", "content": text, "refusal": None}
    return {
        **_head(name, facts, answer, "chat.completion"),
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish}],
        "usage": usage(answer.prompt.num_tokens, tokens),
    }


class EventWriter:
    """The events of one stream, as bytes."""

    def __init__(self, name: str, facts: EngineFacts, answer: Answer) -> None:
        self._answer = answer
        self._head = _head(name, facts, answer, "chat.completion.chunk")
        if answer.request.include_usage:
            self._head["usage"] = None

    def start(self) -> bytes:
        """Who speaks."""
        return self._chunk({"role": "assistant", "content": ""})

    def text(self, text: str) -> bytes:
        """What is said next."""
        return self._chunk({"content": text})

    def end(self, finish: str, tokens: int) -> bytes:
        """Why it ends, how many tokens it had where that was asked for, and the mark after the last event."""
        events = self._chunk({}, finish)
        if self._answer.request.include_usage:
            counts = usage(self._answer.prompt.num_tokens, tokens)
            events += _event({**self._head, "choices": [], "usage": counts})
        return events + b"data: [DONE]\n\n"

    def _chunk(self, delta: dict[str, str], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return _event({**self._head, "choices": [choice]})


def problem_event(problem: RequestError) -> bytes:
    """A failure after the stream began; no mark of the end follows."""
    return _event(problem.body())


def _head(name: str, facts: EngineFacts, answer: Answer, kind: str) -> dict[str, Any]:
    return {
        "id": name,
        "object": kind,
        "created": answer.created,
        "model": facts.name,
        "system_fingerprint": facts.fingerprint,
    }


def _event(value: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"
