"""A benchmark and a model: predictions, kept as they come, then scores.

    settings = Settings(benchmark="vsibench", model="openai:qwen@http://localhost:8000/v1")
    done = evaluate(settings, rows, Path("videos"), Path("out/evaluate/vsibench-qwen"))
    done.result["protocols"]["official"]["overall"]

Both stages can be run again at any time. What was answered before is not asked again; what failed is.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from spaceland.benchmarks.baselines import BASELINES, baseline_predictions
from spaceland.benchmarks.known import ScoreError, benchmark_module
from spaceland.benchmarks.types import Benchmark, Row
from spaceland.chat.open_model import ModelOptions, open_model, parse_model
from spaceland.chat.types import ChatModel, Generation
from spaceland.errors import ChatError
from spaceland.evaluation.ask import Outcome, Patience, ask_concurrently, ask_in_batches
from spaceland.evaluation.media import MediaCache
from spaceland.evaluation.plan import MAX_TOKENS, Item, Plan, make_plan, text_sha256
from spaceland.evaluation.result import build_result
from spaceland.evaluation.store import PredictionStore, check_config
from spaceland.files import write_json
from spaceland.progress import progress_bar

BASELINE = "baseline:"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How to evaluate.

    `model` is baseline:oracle, baseline:random, baseline:frequency, or what `spaceland ask --model` takes; `blind` asks
    a model with the words alone. `protocol` decides prompts and frames, and the figure that comes first; `frames` and
    `long_side_px` overrule its frames. `batch` is for models on this machine, `options.concurrency` for servers.
    `retries` is how often rows that failed are asked again before the run ends.
    """

    benchmark: str
    model: str
    blind: bool = False
    protocol: str | None = None
    frames: int | None = None
    long_side_px: int | None = None
    limit: int | None = None
    subset: str | None = None
    skip_missing: bool = False
    max_tokens: int | None = None
    temperature: float = 0.0
    seed: int = 0
    batch: int = 1
    retries: int = 1
    options: ModelOptions = field(default_factory=ModelOptions)

    @property
    def baseline(self) -> str | None:
        """Name of the baseline, where the model is one."""
        return self.model.removeprefix(BASELINE) if self.model.startswith(BASELINE) else None

    @property
    def generation(self) -> Generation:
        """With the benchmark's own length of replies unless another is wanted."""
        tokens = self.max_tokens or MAX_TOKENS.get(self.benchmark, 512)
        return Generation(tokens, self.temperature, self.seed if self.temperature > 0 else None)


@dataclass(frozen=True)
class Evaluation:
    """A finished run: its result, and why rows have no answer, by id."""

    folder: Path
    result: dict[str, Any]
    failures: dict[str, str]
    num_asked: int
    num_kept: int


def evaluate(
    settings: Settings,
    rows: Sequence[Row],
    media: Path | None,
    out: Path,
    *,
    model: ChatModel | None = None,
    benchmark: Benchmark | None = None,
    source: Mapping[str, Any] | None = None,
) -> Evaluation:
    """Ask what is not yet answered, then score.

    Args:
        settings: See `Settings`.
        rows: Rows in released field names.
        media: Folder of pictures and videos; None without any (baselines, `blind`).
        out: The run's folder; an earlier run with the same settings goes on.
        model: Any chat model, instead of opening `settings.model`, whose text then is its name in results.
        benchmark: The benchmark with a judge's protocols (`spaceland.benchmarks.judge.with_judge`).
        source: Where the rows are from, for the result (`spaceland.benchmarks.released.OpenedRows`).

    Raises:
        ScoreError: rows, protocol or media do not fit.
        ChatError: the model cannot be opened, or the first rows all fail.
        OutputError: the folder holds a run with other settings, or cannot be written.
    """
    baseline = settings.baseline
    if baseline is not None and baseline not in BASELINES:
        raise ScoreError(f"unknown baseline '{baseline}'; known are {', '.join(BASELINES)}")
    plan = make_plan(
        settings.benchmark,
        rows,
        None if settings.blind or baseline else media,
        protocol=settings.protocol,
        frames=settings.frames,
        long_side_px=settings.long_side_px,
        limit=settings.limit,
        subset=settings.subset,
        skip_missing=settings.skip_missing,
        chosen=benchmark,
    )
    failures: dict[str, str] = {}
    with PredictionStore(out) as store, _opened(settings, model) as chat:
        facts = _model_facts(settings, chat)
        check_config(out, _config(settings, plan, facts))
        known = store.records
        waiting = [
            item for item in plan.items if item.id not in known or known[item.id]["prompt_sha256"] != item.prompt_sha256
        ]
        stale = sum(item.id in known for item in waiting)
        if baseline is not None:
            _keep_baseline(store, settings, plan, waiting)
        elif waiting:
            assert chat is not None
            failures = _ask_all(store, settings, plan, waiting, chat)
        write_json(out / "failures.json", [{"id": key, "problem": text} for key, text in failures.items()])
        wanted = {item.id: item.prompt_sha256 for item in plan.items}
        records = {
            row_id: record for row_id, record in store.records.items() if record["prompt_sha256"] == wanted.get(row_id)
        }
    result = build_result(
        plan.benchmark,
        plan.protocol,
        plan.rows,
        records,
        {
            "model": facts | {"answered_as": sorted({r["model"] for r in records.values() if r.get("model")})},
            "rows": {
                "found": plan.num_found,
                "evaluated": len(plan.rows),
                "without_media": plan.without_media,
                "unscored": plan.unscored,
                "limit": settings.limit,
                "subset": settings.subset,
                "source": None if source is None else dict(source),
            },
            "prompt": _prompt_facts(plan),
            "frames": None if plan.policy is None else plan.policy.to_json(),
            "generation": None if baseline else asdict(settings.generation),
            "failures": failures,
            "stale": stale,
        },
        seed=settings.seed,
    )
    write_json(out / "result.json", result)
    return Evaluation(out, result, failures, len(waiting), len(plan.items) - len(waiting))


@contextlib.contextmanager
def _opened(settings: Settings, model: ChatModel | None) -> Iterator[ChatModel | None]:
    """The model, closed at the end where it was opened here."""
    if model is not None or settings.baseline is not None:
        yield model
        return
    opened = open_model(parse_model(settings.model), settings.options)
    try:
        yield opened
    finally:
        close = getattr(opened, "close", None)
        if close is not None:
            close()


def _model_facts(settings: Settings, chat: ChatModel | None) -> dict[str, Any]:
    """What results say about the model. Without the server's address: the same model may be served elsewhere."""
    about: dict[str, Any] = {"name": settings.model.partition("@http")[0], "blind": settings.blind}
    found = getattr(chat, "facts", None)
    return about | (found() if found is not None else {})


def _config(settings: Settings, plan: Plan, facts: Mapping[str, Any]) -> dict[str, Any]:
    """What decides the replies. Which rows are asked does not: a run with more rows goes on."""
    module = benchmark_module(settings.benchmark)
    words = {name: getattr(module, name) for name in ("PROMPTS", "PROMPT") if hasattr(module, name)}
    options = settings.options
    how: dict[str, Any] = {"seed": settings.seed}
    if settings.baseline is None:
        how = {
            "generation": asdict(settings.generation),
            "detail": options.detail,
            "reasoning": options.reasoning,
            "dtype": facts.get("dtype"),
            "revision": facts.get("revision"),
        }
    else:
        # What a baseline says depends on which rows there are.
        how["rows_sha256"] = hashlib.sha256("\n".join(sorted(plan.rows)).encode("utf-8", "surrogatepass")).hexdigest()
    return {
        "benchmark": settings.benchmark,
        "model": facts["name"],
        "blind": settings.blind,
        "prompt": {
            "protocol": plan.protocol,
            "words_sha256": text_sha256(json.dumps(words, sort_keys=True, default=dict)),
        },
        "frames": None if plan.policy is None else plan.policy.to_json(),
        **how,
    }


def _prompt_facts(plan: Plan) -> dict[str, Any]:
    ordered = sorted(plan.items, key=lambda item: item.id)
    return {
        "protocol": plan.protocol,
        "sha256": text_sha256("\n".join(f"{item.id} {item.prompt_sha256}" for item in ordered)),
        "example": plan.items[0].prompt,
    }


def _keep_baseline(store: PredictionStore, settings: Settings, plan: Plan, waiting: Sequence[Item]) -> None:
    replies = baseline_predictions(plan.benchmark, str(settings.baseline), list(plan.rows.values()), settings.seed)
    store.append(
        [
            {"id": item.id, "prompt_sha256": item.prompt_sha256, "prediction": replies[item.id], "time": time.time()}
            for item in waiting
        ]
    )


def _ask_all(
    store: PredictionStore, settings: Settings, plan: Plan, waiting: Sequence[Item], chat: ChatModel
) -> dict[str, str]:
    """Ask, keep, ask what failed again; why rows still have no answer, by id."""
    cache = None if plan.policy is None else MediaCache(plan.policy, most=settings.options.concurrency + 2)
    failures: dict[str, str] = {}
    patience = Patience(ChatError)
    for turn in range(settings.retries + 1):
        items = [item for item in waiting if item.id in failures] if turn else list(waiting)
        if not items:
            break
        label = "asking again" if turn else "asking"
        if hasattr(chat, "complete_many") and not settings.model.startswith("openai:"):
            groups = ask_in_batches(items, chat, settings.generation, cache, settings.batch)
        else:
            groups = ask_concurrently(items, chat, settings.generation, cache, settings.options.concurrency)
        with contextlib.closing(groups), progress_bar(label, len(items)) as advance:
            for outcomes in groups:
                store.append([_record(outcome) for outcome in outcomes if outcome.reply is not None])
                for outcome in outcomes:
                    if outcome.reply is None:
                        failures[outcome.item.id] = outcome.problem
                    else:
                        failures.pop(outcome.item.id, None)
                advance(len(outcomes), f"{len(failures)} failed" if failures else "")
                patience.look_at(outcomes)
    return failures


def _record(outcome: Outcome) -> dict[str, Any]:
    """A line of predictions.jsonl."""
    reply = outcome.reply
    assert reply is not None
    media = outcome.item.media
    return {
        "id": outcome.item.id,
        "prompt_sha256": outcome.item.prompt_sha256,
        "prediction": reply.text,
        "finish": reply.finish,
        "model": reply.model,
        "media": None if media is None else media.name,
        "frames": list(outcome.frames),
        "sent_sha256": outcome.sent_sha256,
        "usage": dict(reply.usage),
        "seconds": round(outcome.seconds, 3),
        "time": round(time.time(), 3),
    }
