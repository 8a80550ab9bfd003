"""How many tokens a request has, and what it may cost, before it is sent.

How a picture becomes tokens depends on the model:

| rule | models | tokens of a picture |
|---|---|---|
| `qwen2` | Qwen2-VL, Qwen2.5-VL, GPT4Scene | sides rounded to 28 px, 56^2 to 3584^2 px in all, one per 28 x 28, + 2 |
| `qwen3` | Qwen3-VL | sides rounded to 32 px, 256^2 to 4096^2 px in all, one per 32 x 32, + 2 |
| `tiles` | GPT-4o and models that count like it | 85, and with high detail 170 for each 512 px tile, after fitting |
| `tiles448` | InternVL | 256 for each 448 px tile, + 2; one tile when several pictures are sent |
| `pixels` | all others | one token per 28 x 28 px: a guess |

Text counts one token per 4 characters unless the model's tokenizer is at hand. Servers may count a few tokens more for
their own templates. Prices come from a file of the user's own (`read_prices`): none are built in, since they change.

>>> picture_tokens(512, 490, "qwen2"), picture_tokens(1024, 1024, "tiles"), picture_tokens(1024, 1024, "tiles", "low")
(326, 765, 85)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from spaceland.chat.types import Generation, Message, Picture
from spaceland.errors import ChatError
from spaceland.files import read_json

Rule = Literal["qwen2", "qwen3", "tiles", "tiles448", "pixels"]
Detail = Literal["auto", "low", "high"]
_PER_TURN = 5  # role, begin and end of a turn


@dataclass(frozen=True, kw_only=True)
class Price:
    """What a million tokens cost, in the currency of the user's file."""

    input_per_million: float
    output_per_million: float
    currency: str = "USD"


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Tokens of a request. `max_output` is the most that may come back; `cost_max` counts it in full."""

    rule: Rule
    text_tokens: int
    picture_tokens: tuple[int, ...]
    max_output_tokens: int
    cost_input: float | None = None
    cost_max: float | None = None
    currency: str | None = None

    @property
    def input_tokens(self) -> int:
        return self.text_tokens + sum(self.picture_tokens)

    def __str__(self) -> str:
        """One line for people."""
        pictures = f"{sum(self.picture_tokens)} for {len(self.picture_tokens)} pictures (rule {self.rule})"
        line = f"about {self.input_tokens} input tokens: {self.text_tokens} for text, {pictures}"
        line += f"; at most {self.max_output_tokens} output tokens"
        if self.cost_max is None:
            return line + "; price unknown"
        return line + f"; {self.cost_input:.4f} to {self.cost_max:.4f} {self.currency}"


def rule_of(model: str) -> Rule:
    """The rule that a model's name suggests; `pixels` for names that say nothing.

    >>> rule_of("Qwen/Qwen2.5-VL-7B-Instruct"), rule_of("gpt-4o-mini"), rule_of("my-model")
    ('qwen2', 'tiles', 'pixels')
    """
    name = "".join(c for c in model.lower() if c.isalnum())
    if "gpt4scene" in name or "qwen2vl" in name or "qwen25vl" in name or "qwenvl" in name:
        return "qwen2"
    if "qwen3" in name:
        return "qwen3"
    if "internvl" in name:
        return "tiles448"
    if name.startswith(("gpt", "chatgpt", "o1", "o3", "openai")):
        return "tiles"
    return "pixels"


def picture_tokens(width: int, height: int, rule: Rule, detail: Detail = "auto", *, alone: bool = True) -> int:
    """Tokens of one picture.

    Args:
        width: In pixels.
        height: In pixels.
        rule: See the module's table.
        detail: For `tiles`: "low" is one small view of the picture.
        alone: For `tiles448`: it is the only picture, so it may be cut into tiles.
    """
    if width < 1 or height < 1:
        raise ChatError(f"a picture of {width} x {height} pixels cannot be sent")
    if rule == "qwen2":
        return _merged_patches(width, height, 28, 56 * 56, 3584 * 3584) + 2
    if rule == "qwen3":
        return _merged_patches(width, height, 32, 256 * 256, 4096 * 4096) + 2
    if rule == "tiles":
        return 85 if detail == "low" else 85 + 170 * _tiles_512(width, height)
    if rule == "tiles448":
        return 256 * (_tiles_448(width, height) if alone else 1) + 2
    return max(1, math.ceil(width * height / 28**2))


def estimate(
    messages: Sequence[Message],
    generation: Generation,
    *,
    model: str,
    rule: Rule | None = None,
    detail: Detail = "auto",
    count_text: Callable[[str], int] | None = None,
    prices: Mapping[str, Price] | None = None,
) -> Estimate:
    """Count a request.

    Args:
        messages: As they will be sent.
        generation: Its `max_tokens` bounds the output.
        model: Its name picks the rule and the price.
        rule: Count pictures like this instead.
        detail: As asked of the server.
        count_text: Tokens of a text, where the tokenizer is at hand; else 4 characters are one token.
        prices: By model name; the longest name that the model's begins with counts.
    """
    rule = rule or rule_of(model)
    count = count_text or (lambda text: math.ceil(len(text) / 4))
    parts = [part for message in messages for part in message.content]
    pictures = [part for part in parts if isinstance(part, Picture)]
    text = sum(count(part) for part in parts if isinstance(part, str)) + _PER_TURN * len(messages)
    tokens = tuple(picture_tokens(p.width, p.height, rule, detail, alone=len(pictures) == 1) for p in pictures)
    price = _price(model, prices or {})
    cost = cost_max = None
    if price:
        cost = (text + sum(tokens)) * price.input_per_million / 1e6
        cost_max = cost + generation.max_tokens * price.output_per_million / 1e6
    return Estimate(
        rule=rule,
        text_tokens=text,
        picture_tokens=tokens,
        max_output_tokens=generation.max_tokens,
        cost_input=cost,
        cost_max=cost_max,
        currency=price.currency if price else None,
    )


def read_prices(path: Path) -> dict[str, Price]:
    """Prices from a JSON file of the user's own.

        {"my-model": {"input_per_million": 1.0, "output_per_million": 4.0, "currency": "EUR"}}

    Raises:
        SceneError: the file is missing or no JSON.
        ChatError: an entry has no such numbers.
    """
    data = read_json(path)
    if not isinstance(data, dict):
        raise ChatError(f"{path} holds no JSON object of prices by model name; see docs/ask.md")
    prices = {}
    for model, entry in data.items():
        entry = entry if isinstance(entry, dict) else {}
        numbers = [entry.get(key) for key in ("input_per_million", "output_per_million")]
        currency = entry.get("currency", "USD")
        good = all(isinstance(n, int | float) and not isinstance(n, bool) and 0 <= n < math.inf for n in numbers)
        if not good or not isinstance(currency, str):
            raise ChatError(f"{path}: '{model}' needs input_per_million and output_per_million, numbers >= 0")
        prices[model] = Price(input_per_million=numbers[0], output_per_million=numbers[1], currency=currency)  # type: ignore[arg-type]
    return prices


def _price(model: str, prices: Mapping[str, Price]) -> Price | None:
    names = [name for name in prices if model.startswith(name)]
    return prices[max(names, key=len)] if names else None


def _merged_patches(width: int, height: int, side: int, low: int, high: int) -> int:
    """Tokens after rounding both sides to multiples of `side`, within `low` to `high` pixels in all."""
    w, h = round(width / side) * side, round(height / side) * side
    if w * h > high:
        shrink = math.sqrt(width * height / high)
        w, h = (max(side, math.floor(length / shrink / side) * side) for length in (width, height))
    elif w * h < low:
        grow = math.sqrt(low / (width * height))
        w, h = (math.ceil(length * grow / side) * side for length in (width, height))
    return (w // side) * (h // side)


def _tiles_512(width: int, height: int) -> int:
    """Tiles after fitting into 2048 x 2048 and then shrinking the shorter side to 768."""
    shrink = min(1.0, 2048 / max(width, height))
    w, h = width * shrink, height * shrink
    shrink = min(1.0, 768 / min(w, h))
    return math.ceil(round(w * shrink, 6) / 512) * math.ceil(round(h * shrink, 6) / 512)


def _tiles_448(width: int, height: int, most: int = 12) -> int:
    """Tiles of the grid (at most `most`) whose shape is nearest to the picture's, and one for the whole picture."""
    best, best_error = 1, math.inf
    for n in range(1, most + 1):
        for columns in (c for c in range(1, n + 1) if n % c == 0):
            error = abs(width / height - columns / (n // columns))
            # Of equal shapes the finer one counts only when the picture has the pixels for it.
            if error < best_error or (error == best_error and width * height > 0.5 * 448**2 * n):
                best, best_error = n, min(error, best_error)
    return best + (best > 1)
