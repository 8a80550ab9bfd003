"""How much one request, and all of them together, may take."""

from __future__ import annotations

from dataclasses import dataclass, fields

from spaceland.errors import OutputError


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bounds of the server.

    One request holds at most its body (`max_body_mb`) while it waits, and pixels only when it is among the
    2 `max_batch` next to be answered.
    """

    max_batch: int = 8
    """Requests that are answered together."""
    batch_wait_ms: float = 5.0
    """How long the first request of a batch waits for others."""
    max_batch_tokens: int = 65536
    """Tokens of a batch: the longest prompt times the number of requests."""
    max_waiting: int = 64
    """Requests that wait for their turn; more are told to come back (429)."""
    request_s: float = 300.0
    """Longest time of one request, its wait included (504)."""
    head_s: float = 20.0
    """Longest time in which the first line and the headers of a request may arrive; then the connection is closed."""
    body_s: float = 60.0
    """Longest time in which a request's body may arrive (408)."""
    max_body_mb: float = 64.0
    max_pending_mb: float = 1024.0
    """All bodies that are held at a time."""
    max_images: int = 64
    max_image_mb: float = 20.0
    """One picture, encoded."""
    max_image_megapixels: float = 32.0
    max_clip_megapixels: float = 160.0
    """All pictures of a request, decoded."""
    max_prompt_tokens: int = 32768
    """Text and pictures; the model's own context bounds it too."""
    max_tokens: int = 4096
    """Longest answer that may be asked for."""
    default_tokens: int = 512
    """Longest answer where the request says nothing."""

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            least = 0 if item.name in ("batch_wait_ms", "max_images", "max_waiting") else None
            if not value >= (least if least is not None else 1e-3) or value == float("inf"):
                raise OutputError(f"a limit {item.name} of {value} is not usable; give a positive number")
