"""Requests per second of the server on this machine's loopback, and how long each takes.

A tiny model with random weights (the plumbing is measured, not a model) behind `spaceland serve`'s own server, in a
process of its own; 32 clients send 1,000 requests: questions about 4 clips of 2 pictures, text alone, streams and
whole answers. None may be lost. Then, in this process, questions on one longer clip with and without the clip cache.

    python bench/bench_serve.py
    python bench/bench_serve.py --clients 8 --requests 200 --max-batch 1
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from pathlib import Path
from typing import Any

for folder in ("serving", "models"):
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / folder))


def serve(pipe: Any, max_batch: int) -> None:
    """Run the server until the other side says a word."""
    import threading

    from tiny_models import tiny_model

    from spaceland.serving.access import Access
    from spaceland.serving.geometry_engine import GeometryEngine
    from spaceland.serving.limits import Limits
    from spaceland.serving.run import ModelServer, listen

    with listen("127.0.0.1", 0) as listening:
        engine = GeometryEngine(tiny_model(), "tiny")
        server = ModelServer(engine, listening, Access(), limits=Limits(max_batch=max_batch))
        thread = threading.Thread(target=server.run)
        thread.start()
        pipe.send(f"http://127.0.0.1:{listening.getsockname()[1]}")
        pipe.recv()
        metrics = server.service.metrics
        pipe.send((metrics.value("batch_size"), metrics.value("generated_tokens_total"), engine.cache))
        server.stop()
        thread.join()


def report(load: Any, requests: int) -> None:
    """One line of figures."""
    lost = requests - len(load.texts)
    print(
        f"{requests} requests in {load.wall_s:.1f} s: {requests / load.wall_s:.0f}/s, "
        f"p50 {load.percentile_ms(0.5):.0f} ms, p95 {load.percentile_ms(0.95):.0f} ms, {lost} lost, "
        f"{sum(load.refusals.values())} told to come back"
    )


def bench_load(clients: int, requests: int, max_batch: int) -> None:
    """The whole server under load."""
    from serve_help import data_url, encoded, image_part
    from serve_load import run_load

    clips = [[image_part(data_url(encoded(64, 48, seed=10 * clip + k))) for k in range(2)] for clip in range(4)]

    def body(number: int) -> dict[str, Any]:
        words = {"type": "text", "text": f"Question {number % 8}?"}
        content = [words] if number % 5 == 4 else [*clips[number % 4], words]
        message = {"role": "user", "content": content}
        return {"model": "tiny", "messages": [message], "stream": number % 3 == 0, "max_tokens": 8}

    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(there, max_batch), daemon=True)
    process.start()
    url = here.recv()
    run_load(url, body, clients=4, requests=20)  # imports and first calls
    load = run_load(url, body, clients=clients, requests=requests)
    print(f"{clients} clients, batches of at most {max_batch}, 8 tokens each:")
    report(load, requests)
    here.send("stop")
    batches, tokens, cache = here.recv()
    print(
        f"{batches:.0f} batches, {tokens:.0f} tokens, clips found {cache.hits} times and encoded {cache.misses} times"
    )
    process.join(20)


def bench_clip(frames: int, questions: int) -> None:
    """Questions about one clip through the engine, one after the other, with and without its cache."""
    import torch
    from serve_help import encoded
    from tiny_models import tiny_model

    from spaceland.chat.types import Message, Picture
    from spaceland.serving.geometry_engine import GeometryEngine
    from spaceland.serving.requests import Sampling

    torch.set_num_threads(1)
    model = tiny_model(long_side_cells=18)
    pictures = [Picture(encoded(640, 480, "JPEG", k), "image/jpeg", 640, 480, str(k)) for k in range(frames)]
    for cache_bytes in (0, 1 << 30):
        engine = GeometryEngine(model, "tiny", cache_bytes=cache_bytes)
        started = time.perf_counter()
        for number in range(questions):
            prompt = engine.prepare([Message("user", [*pictures, f"Question {number}?"])])
            left = [4]

            def take(tokens: list[int], left: list[int] = left) -> list[bool]:
                left[0] -= 1
                return [left[0] == 0]

            engine.generate([prompt], [Sampling(max_tokens=4)], take)
        seconds = time.perf_counter() - started
        kept = f"kept, {engine.cache.bytes / 1e6:.0f} MB" if cache_bytes else "not kept"
        about = f"{questions} questions on {frames} frames of 640 x 480 ({prompt.num_tokens} tokens)"
        print(f"{about}, {kept}: {seconds:.2f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--max-batch", type=int, default=8)
    parser.add_argument("--frames", type=int, default=8)
    parser.add_argument("--questions", type=int, default=18)
    args = parser.parse_args()
    bench_load(args.clients, args.requests, args.max_batch)
    bench_clip(args.frames, args.questions)


if __name__ == "__main__":
    main()
