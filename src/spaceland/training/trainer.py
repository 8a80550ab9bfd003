"""transformers' Trainer with what is particular here: nothing is patched, five of its methods are extended.

- the loss asks the model for logits only where something is learnt: with long samples of many frames all logits would
  be the largest thing in memory;
- broken samples are taken note of, and stop the run when there are too many;
- each part of the model may have its own learning rate;
- checkpoints hold what is trained, not the frozen rest;
- evaluation also asks questions and scores the answers.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import Trainer

from spaceland.errors import TrainingError
from spaceland.training.answers import AnswerScores
from spaceland.training.collate import SKIPPED
from spaceland.training.masking import IGNORED
from spaceland.training.parts import part_of

WEIGHTS = "model.safetensors"


class StageTrainer(Trainer):
    """See the module."""

    def __init__(
        self,
        *args: Any,
        part_lr: Mapping[str, float],
        answers: AnswerScores | None,
        max_broken: int,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._part_lr, self._answers, self._max_broken = part_lr, answers, max_broken
        self.num_broken = 0
        self._broken_here: list[tuple[int, str, str]] = []

    def get_batch_samples(self, epoch_iterator: Any, num_batches: int, device: torch.device) -> tuple[list[Any], Any]:
        """Take note of what was broken, before the batches go to the model."""
        batches, num_items = super().get_batch_samples(epoch_iterator, num_batches, device)
        for batch in batches:
            self._broken_here += [(self.state.global_step + 1, *entry) for entry in batch.pop(SKIPPED, [])]
        return batches, num_items

    def take_broken(self) -> list[tuple[int, str, str]]:
        """(step, sample id, reason) of all processes since the last call; every process must call it.

        Raises:
            TrainingError: there are more than the run allows.
        """
        found, self._broken_here = self._broken_here, []
        if self.args.world_size > 1:
            from accelerate.utils import gather_object

            found = sorted(gather_object(found))
        self.num_broken += len(found)
        if self.num_broken > self._max_broken:
            _, name, reason = found[-1]
            raise TrainingError(
                f"{self.num_broken} samples were broken, more than the {self._max_broken} that max_broken allows; the "
                f"last is {name}: {reason}. Mend the data, or raise max_broken"
            )
        return found

    def compute_loss(
        self, model: nn.Module, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The loss over learnt tokens alone; a batch without any has loss 0, not NaN."""
        inputs = {name: value for name, value in inputs.items() if name != SKIPPED}
        # Logits at position k are about the token at k + 1.
        targets = nn.functional.pad(inputs["labels"][:, 1:], (0, 1), value=IGNORED)
        learnt = (targets != IGNORED).any(0)
        if not learnt.any():
            learnt[-1] = True
            num_items_in_batch = torch.ones((), device=targets.device)
        elif num_items_in_batch is not None:
            num_items_in_batch = num_items_in_batch.clamp(min=1)
        where = learnt.nonzero()[:, 0]
        inputs |= {"logits_to_keep": where, "shift_labels": targets[:, where].contiguous()}
        return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)

    def create_optimizer(self, model: nn.Module | None = None) -> torch.optim.Optimizer:
        """One group for each part and for what decays and what does not."""
        model = self.model if model is None else model
        if self.optimizer is not None:
            return self.optimizer
        decays = set(self.get_decay_parameter_names(model))
        groups: dict[tuple[str, bool], list[nn.Parameter]] = {}
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                groups.setdefault((part_of(name), name in decays), []).append(parameter)
        kind, settings = self.get_optimizer_cls_and_kwargs(self.args, model)
        self.optimizer = kind(
            [
                {
                    "params": parameters,
                    "weight_decay": self.args.weight_decay if decay else 0.0,
                    "lr": self._part_lr.get(part, self.args.learning_rate),
                }
                for (part, decay), parameters in groups.items()
            ],
            **settings,
        )
        return self.optimizer

    def _save(self, output_dir: str | None = None, state_dict: Mapping[str, torch.Tensor] | None = None) -> None:
        """What is trained; the frozen rest comes from where it came from."""
        if not self.args.should_save:
            return
        folder = Path(output_dir or self.args.output_dir)
        folder.mkdir(parents=True, exist_ok=True)
        save_file(trained_tensors(self.model, state_dict), folder / WEIGHTS, metadata={"format": "pt"})

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        if self.is_fsdp_enabled:
            super()._load_from_checkpoint(resume_from_checkpoint, model)
            return
        load_tensors(self.model if model is None else model, Path(resume_from_checkpoint) / WEIGHTS)

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """The loss on held-out rows, then the scores of answers. Sharded models are only asked for the loss."""
        metrics = super().evaluate(*args, **kwargs)
        if self._answers is None or self.is_fsdp_enabled:
            return metrics
        self.model.eval()
        cast = torch.autocast(self.args.device.type, torch.bfloat16) if self.args.bf16 else contextlib.nullcontext()
        with cast:
            mine = self._answers.share(self.args.process_index, self.args.world_size)
            replies = self._answers.replies(self.model, mine)
        if self.args.world_size > 1:
            from accelerate.utils import gather_object

            replies = dict(gather_object(list(replies.items())))
        figures = self._answers.scores(replies)
        self.log(figures)
        return metrics | figures

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Stop at a loss that is no number: everything behind it would be lost."""
        loss = logs.get("loss", 0.0)
        if not math.isfinite(loss):
            raise TrainingError(
                f"the loss of step {self.state.global_step} is {loss}; lower the learning rate, raise the warmup, or "
                'try dtype = "float32"; earlier checkpoints are untouched'
            )
        super().log(logs, start_time)


def trained_tensors(
    model: nn.Module, state: Mapping[str, torch.Tensor] | None = None, also: Sequence[str] = ()
) -> dict[str, torch.Tensor]:
    """Name -> value of every trained parameter (and of those named in `also`) on the processor."""
    named = {name: p for name, p in model.named_parameters() if p.requires_grad or name in also}
    return {name: (state[name] if state else p).detach().cpu().contiguous().clone() for name, p in named.items()}


def load_tensors(model: nn.Module, path: Path) -> list[str]:
    """Put stored values into a model; the names of all of them.

    Raises:
        TrainingError: the file is missing, damaged, or of another model.
    """
    try:
        tensors = load_file(path)
    except Exception as error:  # safetensors has errors of its own, outside of OSError
        raise TrainingError(
            f"cannot read {path}: {error}; remove that checkpoint and go on from the one before"
        ) from error
    parameters = dict(model.named_parameters())
    wrong = [name for name in tensors if name not in parameters or parameters[name].shape != tensors[name].shape]
    if wrong:
        raise TrainingError(f"{path} is of another model: it has {wrong[0]} and {len(wrong) - 1} more that do not fit")
    with torch.no_grad():
        for name, value in tensors.items():
            parameters[name].copy_(value)
    return list(tensors)
