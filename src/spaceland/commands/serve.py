"""`spaceland serve`: a model behind the OpenAI chat protocol."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import tyro


def serve(
    model: tyro.conf.Positional[str],
    *,
    name: str | None = None,
    host: str = "127.0.0.1",
    port: int = 8000,
    device: str = "auto",
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto",
    max_pixels: int | None = None,
    key_variable: str = "SPACELAND_SERVE_KEY",
    without_key: bool = False,
    allow_host: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME [NAME ...]")] = (),
    image_urls: Literal["none", "public", "any"] = "none",
    image_folder: Path | None = None,
    max_batch: int = 8,
    max_waiting: int = 64,
    cache_mb: float = 1024.0,
    timeout_s: float = 300.0,
    grace_s: float = 30.0,
    max_body_mb: float = 64.0,
    max_images: int = 64,
    max_image_megapixels: float = 32.0,
    max_prompt_tokens: int = 32768,
    max_tokens: int = 4096,
    log_content: bool = False,
) -> int:
    """A model behind the OpenAI chat protocol: chat completions with pictures, whole or as a stream.

    Listens on 127.0.0.1 until Ctrl-C. Requests that come together are answered together, and the pictures of a clip are
    encoded once for all questions about them.

        spaceland serve out/model
        spaceland serve Qwen/Qwen2.5-VL-3B-Instruct --port 8001
        spaceland ask rooms:7 "Where can I sit to read?" --model openai:model@http://127.0.0.1:8000/v1

    Args:
        model: Folder that spaceland train wrote, or folder or hub id of a vision-language model; geometry:PATH for a
            VG-LLM checkpoint, local:PATH for a plain model in any case.
        name: What clients call the model; by default the folder's name or the id.
        host: Address to listen on; any but this machine's own needs a key.
        port: Port; 0 for any free one.
        device: auto, cpu, cuda, cuda:1, mps.
        dtype: Numbers of the weights.
        max_pixels: Plain models of the Qwen family: the most pixels of one picture; larger ones are shrunk.
        key_variable: Environment variable with the key that clients must send; it may be unset on 127.0.0.1.
        without_key: Answer everybody who reaches --host, without a key.
        allow_host: Names, beside IP addresses, under which clients reach the server.
        image_urls: Whether http and https pictures are fetched: never, from the public network, or from anywhere.
        image_folder: Folder from which file URLs may be read.
        max_batch: Requests that are answered together.
        max_waiting: Requests that may wait; more are told to come back later.
        cache_mb: Memory for encoded clips.
        timeout_s: Longest time for one request.
        grace_s: How long requests under way may go on after Ctrl-C.
        max_body_mb: Longest request in megabytes.
        max_images: Most pictures of one request.
        max_image_megapixels: Largest picture.
        max_prompt_tokens: Longest prompt, pictures included.
        max_tokens: Longest answer.
        log_content: Write questions and answers to the log.
    """
    import logging
    import sys

    from spaceland.chat.openai_http import is_loopback
    from spaceland.chat.secret import key_from_environment
    from spaceland.errors import OutputError, require

    for module, extra in (("starlette", "serve"), ("uvicorn", "serve"), ("torch", "model"), ("transformers", "model")):
        require(module, extra)
    from spaceland.serving.access import Access
    from spaceland.serving.fetch import UrlAccess
    from spaceland.serving.limits import Limits
    from spaceland.serving.open_engine import open_engine
    from spaceland.serving.run import ModelServer, listen

    limits = Limits(
        max_batch=max_batch,
        max_waiting=max_waiting,
        request_s=timeout_s,
        max_body_mb=max_body_mb,
        max_images=max_images,
        max_image_megapixels=max_image_megapixels,
        max_prompt_tokens=max_prompt_tokens,
        max_tokens=max_tokens,
    )
    key = key_from_environment(key_variable)
    local = is_loopback(host)
    if key is None and not local and not without_key:
        raise OutputError(
            f"--host {host} can be reached from elsewhere: set {key_variable} to a key that clients must send, or give "
            "--without-key to answer everybody"
        )
    if not 0 <= cache_mb < float("inf"):
        raise OutputError(f"--cache-mb is {cache_mb:g}; give megabytes, 0 for no cache")
    if image_folder is not None and not image_folder.is_dir():
        raise OutputError(f"--image-folder {image_folder} is no folder")
    # The port is taken before minutes of loading, and listened on after.
    with listen(host, port) as listening:
        engine = open_engine(
            model,
            name=name,
            device=device,
            dtype=dtype,
            max_pixels=max_pixels,
            cache_bytes=round(cache_mb * 1e6),
        )
        server = ModelServer(
            engine,
            listening,
            Access(key=key, loopback=local, names=frozenset(name.lower() for name in allow_host)),
            limits=limits,
            urls=UrlAccess(network=image_urls != "none", private=image_urls == "any", folder=image_folder),
            grace_s=grace_s,
            log_content=log_content,
        )
        logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(asctime)s %(message)s")
        logging.getLogger("spaceland.serving").setLevel(logging.INFO)
        shown = f"[{host}]" if ":" in host else host
        address = f"http://{shown}:{listening.getsockname()[1]}/v1"
        if key is None and not local:
            print(f"WARNING: everybody who reaches {host} is answered, without a key", file=sys.stderr)
        print(f"Model {engine.facts.name}, {', '.join(f'{k} {v}' for k, v in engine.facts.about.items())}")
        print(f"Serving at {address}" + (f"; clients send the key in {key_variable}" if key else ""))
        print(f"Try: spaceland ask rooms:7 'What is here?' --model openai:{engine.facts.name}@{address}")
        print("Ctrl-C ends it", flush=True)
        server.run()
    return 0
