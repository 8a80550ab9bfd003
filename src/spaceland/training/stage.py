"""A stage's trainer: its data, its evaluation, and transformers' own arguments for both."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import torch
from accelerate import PartialState
from transformers import TrainingArguments

from spaceland.errors import TrainingError
from spaceland.models.geometry_vlm import GeometryVLM
from spaceland.models.processor import GeometryProcessor
from spaceland.training.answers import AnswerScores, pick_rows
from spaceland.training.augment import window_rule
from spaceland.training.collate import Collator, PlannedSamples, TruthOf
from spaceland.training.config import StageConfig, TrainConfig
from spaceland.training.mixture import make_order
from spaceland.training.plan import RunPlan, StagePlan
from spaceland.training.trainer import StageTrainer


def make_trainer(
    config: TrainConfig, plan: RunPlan, stage: StagePlan, folder: Path, model: GeometryVLM, truth: TruthOf | None
) -> StageTrainer:
    """Everything for one stage; `folder` gets its checkpoints."""
    settings = stage.stage
    processor = with_max_tokens(model.processor, settings.max_tokens)
    collator = Collator.of(processor)
    samples = PlannedSamples(
        stage.sources,
        stage.order,
        seed=f"{config.seed}:{settings.name}",
        window=window_rule(settings.augment),
        hide_camera=settings.augment.hide_camera,
        truth=truth,
    )
    held_out, answers = None, None
    if plan.held_out:
        rows = StageConfig(data=(), train=settings.train, batch=1, max_steps=config.eval.rows, one_kind_per_batch=False,
                           group_by_length=False, max_tokens=settings.max_tokens, name="held out")  # fmt: skip
        available = sum(len(source) for source in plan.held_out)
        order = make_order(plan.held_out, rows, config.seed, 1, min(config.eval.rows, available))
        held_out = PlannedSamples(plan.held_out, order, seed="held out", truth=truth)
        if config.eval.answers:
            answers = AnswerScores(
                pick_rows(plan.held_out, config.eval.answers),
                batch=settings.device_batch,
                max_new_tokens=config.eval.max_new_tokens,
                truth=truth,
            )
    if settings.gradient_checkpointing and not config.fsdp.get("activation_checkpointing"):
        model.gradient_checkpointing_enable()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        try:
            arguments = _arguments(config, stage, folder, held_out is not None)
            if config.fsdp and isinstance(model.encoder, torch.nn.Module):
                # Sharding moves submodules alone, and the encoder is none.
                model.encoder.to(arguments.device)
            return StageTrainer(
                model=model,
                args=arguments,
                data_collator=collator,
                train_dataset=samples,
                eval_dataset=held_out,
                part_lr=settings.part_lr,
                answers=answers,
                max_broken=int(config.max_broken * len(stage.order)),
            )
        except (ValueError, TypeError, ImportError, RuntimeError) as error:
            raise TrainingError(
                f"transformers refuses report_to, optimizer, fsdp or schedule of stage '{settings.name}': {error}"
            ) from error


def with_max_tokens(processor: GeometryProcessor, max_tokens: int) -> GeometryProcessor:
    """The same processor with a limit of its own, at most the model's."""
    known = processor.max_tokens
    return GeometryProcessor(
        processor.processor,
        processor.family,
        processor.grid,
        geometry=processor.geometry,
        rays=processor.rays,
        max_tokens=max_tokens if known is None else min(known, max_tokens),
    )


def _arguments(config: TrainConfig, stage: StagePlan, folder: Path, evaluates: bool) -> TrainingArguments:
    settings, state = stage.stage, PartialState()
    # More workers than processors only wait for each other. They decide nothing about what is learnt.
    workers = min(config.workers, os.cpu_count() or 1) if hasattr(os, "fork") else 0
    return TrainingArguments(
        output_dir=str(folder),
        max_steps=stage.order.num_steps,
        per_device_train_batch_size=settings.device_batch,
        per_device_eval_batch_size=settings.device_batch,
        gradient_accumulation_steps=settings.batch // (settings.device_batch * state.num_processes),
        learning_rate=settings.lr,
        lr_scheduler_type=settings.schedule,
        warmup_steps=round(settings.warmup * stage.order.num_steps),
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.max_grad_norm,
        optim=settings.optimizer,
        bf16=config.model.dtype == "bfloat16",
        use_cpu=not torch.cuda.is_available(),
        seed=config.seed,
        train_sampling_strategy="sequential",
        logging_strategy="steps",
        logging_steps=config.log_every,
        logging_nan_inf_filter=False,
        include_num_input_tokens_seen="non_padding",
        eval_strategy="steps" if evaluates else "no",
        eval_steps=config.eval.every if evaluates else None,
        save_strategy="steps",
        save_steps=config.save_every,
        save_total_limit=config.keep,
        report_to=list(config.report_to) or "none",
        run_name=folder.name,
        disable_tqdm=True,
        remove_unused_columns=False,
        label_names=["labels"],
        dataloader_num_workers=workers,
        dataloader_multiprocessing_context="fork" if workers else None,
        dataloader_pin_memory=torch.cuda.is_available(),
        ddp_find_unused_parameters=config.find_unused if state.num_processes > 1 else None,
        fsdp=bool(config.fsdp) or None,
        fsdp_config=dict(config.fsdp) if config.fsdp else None,
    )
