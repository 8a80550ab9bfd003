"""A vision-language model that also gets geometry: composition around an unmodified Hugging Face model.

    pictures -> the model's own image encoder -> visual tokens -+
            `-> GeometryEncoder -> GeometryAdapter -------------+-> fused tokens -> the model (`mm_encoder_outputs`)

Without an encoder it is the plain model, through the same class. The encoder is frozen and stands outside of the
registered submodules: it is in no state dict and no optimiser sees it. Only `adapter` and `vlm` have parameters; what
of `vlm` is trained is said by its parameters' `requires_grad`, which is False for all of them at the start.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from spaceland.chat.types import Message
from spaceland.errors import ChatError
from spaceland.models.adapter import AdapterConfig, GeometryAdapter
from spaceland.models.clip_tokens import ClipTokens, fused_tokens, image_output, visual_tokens
from spaceland.models.families import check_takes_features, family_of
from spaceland.models.fit import check_fit
from spaceland.models.lora import with_lora
from spaceland.models.processor import GeometryProcessor
from spaceland.models.sources import Sources
from spaceland.models.types import GeometryEncoder

_OURS = ("geometry_frames", "geometry_cells", "geometry_rays", "geometry_truth")
_PIXELS = ("pixel_values",)


class GeometryVLM(nn.Module):
    """See the module; made by `from_parts`, `from_pretrained` or `from_vgllm`."""

    def __init__(
        self,
        vlm: Any,
        processor: GeometryProcessor,
        encoder: GeometryEncoder | None,
        adapter: GeometryAdapter | None,
        sources: Sources,
    ) -> None:
        super().__init__()
        self.vlm = vlm
        self.adapter = adapter
        self.processor = processor
        self.sources = sources
        # In a list, so that torch does not register it.
        self._encoders = [encoder] if encoder is not None else []

    @classmethod
    def from_parts(
        cls,
        vlm: Any,
        processor: GeometryProcessor,
        encoder: GeometryEncoder | None = None,
        adapter_config: AdapterConfig | None = None,
        *,
        sources: Sources | None = None,
    ) -> GeometryVLM:
        """Put a model together; its base is frozen, a new adapter changes nothing yet.

        Args:
            vlm: A model of transformers that takes `mm_encoder_outputs`.
            processor: For this model; see `GeometryProcessor`.
            encoder: Frozen; None for the plain model.
            adapter_config: None: the default with an encoder, no adapter without one.
            sources: For `save_pretrained`.

        Raises:
            ChatError: the model takes no encoded pictures.
            EncoderError: adapter, encoder and model do not fit together.
        """
        check_takes_features(vlm)
        family = family_of(vlm.config)
        adapter = None
        if encoder is not None or (adapter_config is not None and adapter_config.rays):
            config = adapter_config or AdapterConfig()
            spec = encoder.spec if encoder is not None else None
            adapter = GeometryAdapter(config, spec, family.hidden)
            check_fit(vlm, family, adapter, processor, encoder)
            adapter.to(vlm.device)
        vlm.requires_grad_(False)
        return cls(vlm, processor, encoder, adapter, sources or Sources())

    @classmethod
    def from_pretrained(cls, path: Any, **how: Any) -> GeometryVLM:
        """Open what `save_pretrained` wrote; see `spaceland.models.saved.load`."""
        from spaceland.models.saved import load

        return load(path, **how)

    @classmethod
    def from_vgllm(cls, path: Any, **how: Any) -> GeometryVLM:
        """Open a released VG-LLM checkpoint; see `spaceland.models.vgllm_checkpoints.load_vgllm`."""
        from spaceland.models.vgllm_checkpoints import load_vgllm

        return load_vgllm(path, **how)

    def save_pretrained(self, path: Any, **how: Any) -> None:
        """Write adapter, LoRA and the names of the frozen parts; see `spaceland.models.saved.save`."""
        from spaceland.models.saved import save

        save(self, path, **how)

    @property
    def encoder(self) -> GeometryEncoder | None:
        """The frozen geometry encoder."""
        return self._encoders[0] if self._encoders else None

    @property
    def base(self) -> Any:
        """The Hugging Face model itself, without a LoRA wrapper."""
        return self.vlm.get_base_model() if hasattr(self.vlm, "peft_config") else self.vlm

    @property
    def config(self) -> Any:
        """Configuration of the Hugging Face model."""
        return self.base.config

    @property
    def generation_config(self) -> Any:
        """Its defaults for `generate`."""
        return self.base.generation_config

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.base.device

    @property
    def dtype(self) -> torch.dtype:
        """Numbers of the model."""
        return self.base.dtype

    def add_lora(self, config: Any) -> None:
        """Wrap the model with new low-rank weights (peft), the only part of it that is then trained.

        Raises:
            ChatError: it has some already, or the configuration names no module of the model.
        """
        self.vlm = with_lora(self.vlm, config)

    def gradient_checkpointing_enable(self, gradient_checkpointing_kwargs: dict[str, Any] | None = None) -> None:
        """Keep fewer activations in training and compute them twice, as transformers does."""
        self.base.activation_checkpointing_enable(gradient_checkpointing_kwargs or {"use_reentrant": False})

    def gradient_checkpointing_disable(self) -> None:
        """Keep all activations."""
        self.base.gradient_checkpointing_disable()

    def encode(self, batch: Mapping[str, Any]) -> list[ClipTokens]:
        """Fused tokens of the pictures of each chat: the model's image encoder and the geometry encoder run once.

        Args:
            batch: Of a `GeometryProcessor`.

        Raises:
            ChatError: pixels and `geometry_cells` do not belong together.
            EncoderError: the geometry encoder or the adapter cannot take them.
        """
        batch = self._moved(batch)
        cells = batch.get("geometry_cells")
        if cells is None:
            raise ChatError("the batch has no geometry_cells; make it with a GeometryProcessor")
        frames = visual_tokens(self.base, batch)
        counts = [len(c) for c in cells]
        if sum(counts) != len(frames):
            raise ChatError(f"the batch has pixels of {len(frames)} pictures but places for {sum(counts)}")
        clips, start = [], 0
        for index, count in enumerate(counts):
            own = frames[start : start + count]
            if count and self.adapter is not None:
                own = fused_tokens(self.adapter, self.encoder, own, index, batch)
            clips.append(tuple(own))
            start += count
        return clips

    @torch.no_grad()
    def encode_batch(self, batch: Mapping[str, Any]) -> list[ClipTokens]:
        """As `encode`, without gradients."""
        return self.encode(batch)

    @torch.no_grad()
    def encode_clip(self, pictures: Sequence[Any]) -> ClipTokens:
        """Fused tokens of a clip for any number of questions about it; see `encode`.

        Args:
            pictures: As in a chat, in the order of the chat.

        Raises:
            ChatError: there are none; and see `encode`.
        """
        if not pictures:
            raise ChatError("a clip needs at least one frame")
        batch = self.processor([[Message("user", list(pictures))]], add_generation_prompt=False)
        return self.encode(batch)[0]

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        *,
        labels: Tensor | None = None,
        clips: Sequence[ClipTokens] | None = None,
        **batch: Any,
    ) -> Any:
        """Logits, and with labels the loss, as the Hugging Face model returns them.

        Args:
            input_ids: [b, n].
            attention_mask: [b, n].
            labels: [b, n], -100 where nothing is to be learnt.
            clips: Of `encode`, one per chat: its pictures are not encoded again, pixels are ignored.
            **batch: The rest of what the `GeometryProcessor` made, and arguments of the model.

        Raises:
            ChatError, EncoderError: see `encode`.
        """
        batch = {**batch, "input_ids": input_ids, "attention_mask": attention_mask, "labels": labels}
        if batch.get("past_key_values") is None and hasattr(self.base.model, "rope_deltas"):
            # The model remembers positions of the last call; they are of no use to another batch.
            self.base.model.rope_deltas = None
        return self.vlm(**self.model_inputs(batch, clips))

    @torch.no_grad()
    def generate(self, *, clips: Sequence[ClipTokens] | None = None, **batch: Any) -> Any:
        """Token ids of prompts and answers, as `generate` of transformers; pictures are encoded once.

        Args:
            clips: As in `forward`.
            **batch: Of the `GeometryProcessor` (with `add_generation_prompt=True`), and settings of `generate`.
        """
        return self.vlm.generate(**self.model_inputs(batch, clips))

    def model_inputs(self, batch: Mapping[str, Any], clips: Sequence[ClipTokens] | None = None) -> dict[str, Any]:
        """The batch as the Hugging Face model takes it, pictures encoded, on its device."""
        has_pictures = batch.get("pixel_values") is not None or (clips is not None and any(clips))
        if clips is None and has_pictures:
            clips = self.encode(batch)
        inputs = {k: v for k, v in batch.items() if k not in (*_OURS, *_PIXELS) and v is not None}
        inputs = self._moved(inputs)
        if has_pictures and clips is not None:
            inputs["mm_encoder_outputs"] = {"image": image_output(clips, self.processor.family, self.device)}
        return inputs

    def _moved(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        """Tensors on the model's device; frames of the geometry encoder are brought to its own by itself."""
        return {
            key: value.to(self.device, non_blocking=True) if isinstance(value, Tensor) else value
            for key, value in batch.items()
        }

    def _apply(self, fn: Any, recurse: bool = True) -> GeometryVLM:
        """Moves and casts reach the encoder too, though it is no submodule."""
        super()._apply(fn, recurse)
        if isinstance(self.encoder, nn.Module):
            self.encoder._apply(fn)
        return self

    def trained_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Names and parameters that gradients change."""
        return ((name, p) for name, p in self.named_parameters() if p.requires_grad)
