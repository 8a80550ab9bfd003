"""`spaceland web`: from a video to an answer on a local page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro


def web(
    *,
    port: int = 8780,
    out: Path = Path("out/web"),
    model: Annotated[tuple[str, ...], tyro.conf.arg(metavar="MODEL [MODEL ...]")] = (),
    max_upload_gb: float = 2.0,
    key_variable: str = "OPENAI_API_KEY",
    timeout_s: float = 300.0,
) -> int:
    """A local page: drop a video or name a scene, watch the stages, turn the room, ask questions.

    The page is served on 127.0.0.1 until Ctrl-C. What it makes stays in the output folder: run it again to find the
    jobs of before, and to resume those that were stopped.

        spaceland web
        spaceland web --model openai:qwen@http://localhost:8000/v1

    Args:
        port: Port of the page; 0 for any free one.
        out: Folder for uploads and jobs.
        model: Models that can be asked, as for spaceland ask: openai:NAME@URL, local:PATH, gpt4scene:PATH.
        max_upload_gb: The largest upload, in gigabytes.
        key_variable: Environment variable with the servers' key; it may be unset.
        timeout_s: Longest silence of a server in seconds.
    """
    from spaceland.chat.open_model import ModelOptions
    from spaceland.errors import OutputError
    from spaceland.web import Desk, WebServer
    from spaceland.web.work import Models

    if not 0.001 <= max_upload_gb <= 1000:
        raise OutputError(f"--max-upload-gb {max_upload_gb} is not usable; give 0.001 to 1000")
    models = Models(model, ModelOptions(key_variable=key_variable, read_s=timeout_s))
    desk = Desk(out, models, max_upload_bytes=round(max_upload_gb * 1e9))
    try:
        with WebServer(desk, port) as server:
            print(f"Open {server.address}")
            print("Ctrl-C ends the page; jobs are kept", flush=True)
            try:
                server.serve_forever()
            except KeyboardInterrupt:
                print()
    finally:
        desk.close()
    return 0
