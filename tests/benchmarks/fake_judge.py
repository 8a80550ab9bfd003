"""A judge on this machine: a real server that answers by what it is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from chat_server import Step, reply
from spaceland.benchmarks.judge import Judge
from spaceland.chat.openai_http import OpenAIChat, OpenAIConfig


def by_prompt(answer: Callable[[str], str]) -> Step:
    """A server that answers by what it is asked."""

    def step(handler: BaseHTTPRequestHandler) -> None:
        reply(answer(handler.body["messages"][-1]["content"]))(handler)  # type: ignore[attr-defined]

    return step


def quick(
    url: str, verdicts: Path | None = None, *, templates: Mapping[str, str] | None = None, concurrency: int = 4
) -> Judge:
    """A judge that does not wait between tries."""
    config = OpenAIConfig(model="judge", base_url=url, concurrency=concurrency)
    return Judge(OpenAIChat(config, sleep=lambda seconds: None), verdicts=verdicts, templates=templates)
