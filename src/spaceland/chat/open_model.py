"""Models by their specification on the command line.

openai:NAME@URL     a server that speaks the OpenAI protocol; without @URL at OPENAI_BASE_URL
local:PATH          a vision-language model in a folder or on the Hugging Face hub, run here (extra `model`)
gpt4scene:PATH      the released GPT4Scene checkpoint, run here (extra `model`)
geometry:PATH       a model with geometry that was trained here, or a VG-LLM checkpoint, run here (extra `model`)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from spaceland.chat.types import ChatModel
from spaceland.errors import ChatError

Kind = Literal["openai", "local", "gpt4scene", "geometry"]
HOW = (
    "--model openai:NAME@http://localhost:8000/v1 for a server (key in OPENAI_API_KEY), --model local:PATH for weights "
    "run here, --model gpt4scene:PATH for the released GPT4Scene checkpoint, or --model geometry:PATH for a model with "
    "geometry"
)


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """A parsed specification: `name` is a model's name, path or id; `url` belongs to servers."""

    kind: Kind
    name: str
    url: str | None = None


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """What can be said about a model beside its name; each kind uses its own part."""

    key_variable: str = "OPENAI_API_KEY"
    read_s: float = 300.0
    detail: Literal["low", "high"] | None = None
    reasoning: bool = False
    concurrency: int = 4
    device: str = "auto"
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"


def parse_model(text: str) -> ModelSpec:
    """Read a specification.

    >>> parse_model("openai:Qwen/Qwen3-VL-8B@http://localhost:8000/v1").url
    'http://localhost:8000/v1'

    Raises:
        ChatError: it is none.
    """
    kind, colon, rest = text.partition(":")
    if kind == "openai" and rest:
        # Names may hold "@" themselves, as some gateways write versions; the address begins at the last "@http".
        at = max(rest.rfind("@http://"), rest.rfind("@https://"))
        name, url = (rest[:at], rest[at + 1 :]) if at >= 0 else (rest, None)
        if name:
            return ModelSpec(kind="openai", name=name, url=url)
    for here in ("local", "gpt4scene", "geometry"):
        if kind == here and rest:
            return ModelSpec(kind=here, name=rest)
    shown = text if colon and "@" not in text else kind
    raise ChatError(f"'{shown}' is no model: give {HOW}")


def open_model(spec: ModelSpec, options: ModelOptions | None = None) -> ChatModel:
    """The model; local ones are loaded now.

    Raises:
        ChatError: no server address, or weights that cannot be loaded.
        DependencyError: the extra `model` is missing.
    """
    options = options or ModelOptions()
    if spec.kind == "openai":
        from spaceland.chat.openai_http import OpenAIChat, OpenAIConfig

        return OpenAIChat(
            OpenAIConfig(
                model=spec.name,
                base_url=spec.url,
                key_variable=options.key_variable,
                read_s=options.read_s,
                detail=options.detail,
                reasoning=options.reasoning,
                concurrency=options.concurrency,
            )
        )
    if spec.kind == "gpt4scene":
        from spaceland.chat.gpt4scene import GPT4SceneChat

        return GPT4SceneChat(spec.name, device=options.device, dtype=options.dtype)
    if spec.kind == "geometry":
        from spaceland.chat.geometry import GeometryChat, GeometryConfig

        return GeometryChat(GeometryConfig(path=spec.name, device=options.device, dtype=options.dtype))
    from spaceland.chat.local import LocalChat, LocalConfig

    return LocalChat(LocalConfig(path=spec.name, device=options.device, dtype=options.dtype))
