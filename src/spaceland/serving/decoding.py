"""One call of `generate` for requests that want different things: each row samples, ends and is told its tokens alone.

transformers samples all rows with one temperature and one generator, and ends rows at one length. Here a logits
processor draws the token of each row that samples, with the row's own generator, and leaves no other choice; a stopping
criterion hands every new token out and ends rows one by one. So what a seed gives does not depend on the neighbours.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F
from transformers import LogitsProcessor, LogitsProcessorList, StoppingCriteria, StoppingCriteriaList

from spaceland.serving.requests import Sampling

Take = Callable[[list[int]], list[bool]]


class RowSampler(LogitsProcessor):
    """Draws tokens for rows with a temperature; the others keep their likeliest one."""

    def __init__(self, sampling: Sequence[Sampling]) -> None:
        self._rows = {
            k: (how, torch.Generator().manual_seed(_seed(how.seed)))
            for k, how in enumerate(sampling)
            if how.temperature > 0
        }

    def __call__(self, input_ids: Int[Tensor, "b n"], scores: Float[Tensor, "b v"]) -> Float[Tensor, "b v"]:
        if not self._rows:
            return scores
        scores = scores.clone()
        for k, (how, generator) in self._rows.items():
            token = draw(scores[k], how, generator)
            scores[k] = -torch.inf
            scores[k, token] = 0.0
        return scores


def draw(scores: Float[Tensor, " v"], how: Sampling, generator: torch.Generator) -> int:
    """A token; with `top_p` only out of the likeliest ones that together have that probability."""
    # On the processor in float32: the same seed draws the same on every device.
    logits = scores.float().cpu()
    # Differences first: a tiny temperature must not make infinities that cancel each other.
    chances = torch.softmax((logits - logits.max()) / how.temperature, -1)
    if how.top_p < 1:
        ordered, order = chances.sort(descending=True)
        beyond = ordered.cumsum(0) - ordered >= how.top_p
        beyond[0] = False
        chances[order[beyond]] = 0.0
    return int(torch.multinomial(chances, 1, generator=generator))


class RowStops(StoppingCriteria):
    """Hands out the new token of each row, and ends the rows whose answers are complete."""

    def __init__(self, take: Take) -> None:
        self._take = take

    def __call__(self, input_ids: Int[Tensor, "b n"], scores: Any, **_: Any) -> Bool[Tensor, " b"]:
        done = self._take(input_ids[:, -1].tolist())
        return torch.tensor(done, dtype=torch.bool, device=input_ids.device)


def decoding(sampling: Sequence[Sampling], take: Take) -> dict[str, Any]:
    """Arguments of `generate`. The checkpoint's own sampling settings do not apply: a request says all there is."""
    return {
        "max_new_tokens": max(how.max_tokens for how in sampling),
        "do_sample": False,
        "num_beams": 1,
        "repetition_penalty": 1.0,
        "temperature": None,
        "top_p": None,
        "top_k": None,
        "logits_processor": LogitsProcessorList([RowSampler(sampling)]),
        "stopping_criteria": StoppingCriteriaList([RowStops(take)]),
    }


def together(prompts: Sequence[Mapping[str, Any]], pad_token: int) -> dict[str, Any]:
    """One batch of prompts that were made ready alone: what runs along the tokens [1, n] is padded at the left to the
    longest, other tensors are laid one after the other, and so are lists.

    Raises:
        RuntimeError: they do not fit together.
    """
    if len(prompts) == 1:
        return dict(prompts[0])
    longest = max(prompt["input_ids"].shape[1] for prompt in prompts)
    batch: dict[str, Any] = {}
    for name in dict.fromkeys(name for prompt in prompts for name in prompt):
        parts = [(prompt[name], prompt["input_ids"].shape) for prompt in prompts if name in prompt]
        if isinstance(parts[0][0], list):
            batch[name] = [item for part, _ in parts for item in part]
            continue
        fill = pad_token if name == "input_ids" else 0
        batch[name] = torch.cat(
            [F.pad(part, (longest - shape[1], 0), value=fill) if part.shape == shape else part for part, shape in parts]
        )
    return batch


def _seed(asked: int | None) -> int:
    return secrets.randbits(63) if asked is None else asked % 2**63
