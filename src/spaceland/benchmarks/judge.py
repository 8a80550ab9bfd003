"""A language model as judge of free answers, behind any server that speaks the OpenAI protocol.

    judge = open_judge("openai:gpt-4-1106-preview@https://api.openai.com/v1", verdicts=Path("verdicts.jsonl"))
    score_benchmark(with_judge(find_benchmark("openeqa"), judge), rows, replies, "official")

What a judge said is kept in the file of verdicts (JSONL, one sync to disk a batch) by model, settings and prompt. So a
run that was cut goes on where it stopped, nothing is paid twice, and figures can be made again without the judge. Its
words are only ever compared with a few fixed forms; what a judged reply says to the judge can still move its verdict.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from spaceland.benchmarks.types import Benchmark
from spaceland.chat.types import ChatModel, Generation, Message
from spaceland.errors import ChatError, SpacelandError
from spaceland.progress import progress_bar

T = TypeVar("T")
_BATCH = 32
_TRIES = 3
_PLACE = re.compile(r"\{(\w+)\}")


class JudgeError(SpacelandError):
    """A judge that cannot be had, or whose answers cannot be read."""


class Judge:
    """Asks a model, remembers what it said.

    Args:
        model: Anything that chats; many at a time where it has `complete_many`.
        verdicts: File that keeps what was said; None forgets it.
        templates: Prompts by name instead of ours, with places such as {question}: the released ones, where their
            text must be the same.

    Raises:
        JudgeError: the file of verdicts is none.
    """

    def __init__(
        self, model: ChatModel, *, verdicts: Path | None = None, templates: Mapping[str, str] | None = None
    ) -> None:
        self.model, self.verdicts, self.templates = model, verdicts, dict(templates or {})
        self._said = _read_verdicts(verdicts) if verdicts else {}

    def about(self, generation: Generation) -> str:
        """The judge in words, for the provenance of a result."""
        seed = "" if generation.seed is None else f", seed {generation.seed}"
        return f"{self.model.name} (temperature {generation.temperature:g}{seed}) as judge"

    def wording(self, *names: str) -> dict[str, str]:
        """Deviation that says whose prompts of these names were used."""
        given = [name for name in names if name in self.templates]
        if given != list(names):
            return {"own-wording": "the judge is asked in words of ours; the released prompts can be given as files"}
        hashes = (f"{name} {hashlib.sha256(self.templates[name].encode()).hexdigest()[:12]}" for name in given)
        return {"given-wording": f"the judge is asked with prompts from files, by SHA-256: {', '.join(hashes)}"}

    def fill(self, name: str, ours: str, **values: str) -> str:
        """The prompt of a name with its places filled; a place without a value stays as it is."""
        return _PLACE.sub(lambda place: values.get(place[1], place[0]), self.templates.get(name, ours))

    def ask(self, prompts: Sequence[str], read: Callable[[str], T], generation: Generation) -> list[T]:
        """Ask every prompt once, in order; equal prompts share their answer.

        Args:
            prompts: Full texts.
            read: The verdict in an answer; raises ValueError where there is none. The judge is then asked again with
                the next seed, at most three times in all.
            generation: Settings; part of what a verdict is kept under.

        Raises:
            JudgeError: some prompts got no readable answer; all others are kept.
        """
        found: dict[str, T] = {}
        problems: dict[str, str] = {}
        waiting = list(dict.fromkeys(prompts))
        for attempt in range(_TRIES):
            seed = None if generation.seed is None else generation.seed + attempt
            said = self._answers(waiting, replace(generation, seed=seed), problems, forget=seed is None and attempt > 0)
            for prompt, text in said.items():
                try:
                    found[prompt] = read(text)
                except ValueError:
                    problems[prompt] = f"'{' '.join(text[:200].split())}' holds no verdict"
            waiting = [prompt for prompt in waiting if prompt in said and prompt not in found]
        lacking = [prompt for prompt in dict.fromkeys(prompts) if prompt not in found]
        if lacking:
            kept = f" The others are kept in {self.verdicts}: run the same again." if self.verdicts else ""
            raise JudgeError(
                f"the judge {self.model.name} gave no verdict on {len(lacking)} of {len(set(prompts))} answers; "
                f"the first: {problems[lacking[0]]}.{kept}"
            )
        return [found[prompt] for prompt in prompts]

    def _answers(
        self, prompts: Sequence[str], generation: Generation, problems: dict[str, str], *, forget: bool
    ) -> dict[str, str]:
        """Answers by prompt, known ones without asking; failures go to `problems`."""
        keys = {prompt: self._key(prompt, generation) for prompt in prompts}
        missing = [prompt for prompt in prompts if forget or keys[prompt] not in self._said]
        if missing:
            self._ask_missing(missing, keys, generation, problems)
        return {prompt: self._said[key] for prompt, key in keys.items() if key in self._said}

    def _ask_missing(
        self, missing: Sequence[str], keys: Mapping[str, str], generation: Generation, problems: dict[str, str]
    ) -> None:
        with progress_bar("Asking the judge", len(missing)) as advance:
            for start in range(0, len(missing), _BATCH):
                batch = missing[start : start + _BATCH]
                lines = []
                for prompt, answer in zip(batch, self._complete(batch, generation), strict=True):
                    if isinstance(answer, ChatError):
                        problems[prompt] = str(answer)
                        continue
                    self._said[keys[prompt]] = answer
                    lines.append(json.dumps({"key": keys[prompt], "model": self.model.name, "text": answer}))
                self._keep(lines)
                advance(len(batch), "")

    def _complete(self, prompts: Sequence[str], generation: Generation) -> list[str | ChatError]:
        chats = [[Message("user", [prompt])] for prompt in prompts]
        many = getattr(self.model, "complete_many", None)
        if many is not None:
            return [reply if isinstance(reply, ChatError) else reply.text for reply in many(chats, generation)]
        answers: list[str | ChatError] = []
        for chat in chats:
            try:
                answers.append(self.model.complete(chat, generation).text)
            except ChatError as error:
                answers.append(error)
        return answers

    def _key(self, prompt: str, generation: Generation) -> str:
        told = [self.model.name, generation.max_tokens, generation.temperature, generation.seed, prompt]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()

    def _keep(self, lines: Sequence[str]) -> None:
        if self.verdicts is None or not lines:
            return
        try:
            self.verdicts.parent.mkdir(parents=True, exist_ok=True)
            with self.verdicts.open("a", encoding="ascii") as file:
                file.write("".join(f"{line}\n" for line in lines))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise JudgeError(f"cannot write {self.verdicts}: {error.strerror or error}") from error


def with_judge(benchmark: Benchmark, judge: Judge) -> Benchmark:
    """The benchmark with its protocols that need a judge added."""
    return replace(
        benchmark, protocols=(*benchmark.protocols, *(make(judge) for make in benchmark.judged.values())), judged={}
    )


def open_judge(model: str, *, verdicts: Path | None = None, prompts: Path | None = None) -> Judge:
    """A judge behind a server.

    Args:
        model: "openai:NAME@URL"; without @URL the address stands in OPENAI_BASE_URL, the key in OPENAI_API_KEY.
        verdicts: File that keeps what was said.
        prompts: Folder with prompts of others, NAME.txt.

    Raises:
        ChatError: no such model or address.
        JudgeError: no folder of prompts, or a broken file of verdicts.
    """
    from spaceland.chat.open_model import parse_model
    from spaceland.chat.openai_http import OpenAIChat, OpenAIConfig

    spec = parse_model(model)
    if spec.kind != "openai":
        raise JudgeError(f"a judge is a server, openai:NAME@URL; '{model}' is none")
    return Judge(
        OpenAIChat(OpenAIConfig(model=spec.name, base_url=spec.url)),
        verdicts=verdicts,
        templates=_read_templates(prompts) if prompts else None,
    )


def _read_templates(folder: Path) -> dict[str, str]:
    try:
        found = {path.stem: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.txt"))}
    except (OSError, UnicodeDecodeError) as error:
        raise JudgeError(f"cannot read the prompts in {folder}: {error}") from error
    if not found:
        raise JudgeError(f"no prompts in {folder}: expected files such as mmbench.txt")
    return found


def _read_verdicts(path: Path) -> dict[str, str]:
    """Answers by key. A last line that was cut while it was written is removed from the file."""
    try:
        data = path.read_bytes() if path.exists() else b""
        whole = data[: data.rfind(b"\n") + 1]
        if len(whole) < len(data):
            os.truncate(path, len(whole))
    except OSError as error:
        raise JudgeError(f"cannot read {path}: {error.strerror or error}") from error
    said: dict[str, str] = {}
    for number, line in enumerate(whole.splitlines(), 1):
        try:
            row = json.loads(line)
            key, text = row["key"], row["text"]
        except (ValueError, KeyError, TypeError, RecursionError):
            key = text = None
        if not isinstance(key, str) or not isinstance(text, str):
            raise JudgeError(f"{path}, line {number}: not a verdict; is this a file of verdicts?")
        said[key] = text
    return said
