"""Networks with weights from files: laid out without memory, then filled tensor by tensor.

A network is built on the "meta" device first; then each of its parameters is read, brought to its type and device, and
assigned. Nothing is held twice, and tensors of parts that are not built are never read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple, TypeVar

import torch
from torch import nn

from spaceland.errors import EncoderError
from spaceland.models.encoders.weight_files import WeightFiles, open_safetensors, some_of

Module = TypeVar("Module", bound=nn.Module)


class Source(NamedTuple):
    """Where a parameter comes from: the name of a released tensor, and which third of it (of fused q, k, v)."""

    name: str
    third: int | None = None


def build(
    make: Callable[[], Module],
    files: WeightFiles | None,
    *,
    source: Callable[[str], Source],
    known: Callable[[str], bool],
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    float32: tuple[str, ...] = (),
    seed: int = 0,
) -> Module:
    """A frozen network in evaluation mode, with its weights from files or drawn from a seed.

    Its `revision` says which commit on the Hub they came from, if any.

    Args:
        make: Builds it (called where tensors take no memory, if the weights come from files).
        files: Where the weights are; None draws them from `seed` as its constructor does, the same on every device.
        source: Name of a parameter -> where it is in the files.
        known: Whether a name in the files belongs to the architecture, even if nothing here is built for it.
        device: Where it runs; "meta" for a network without values.
        dtype: Type of its parameters.
        float32: Beginnings of names of parameters that stay float32 whatever `dtype`.
        seed: See `files`.

    Raises:
        EncoderError: names missing from the files or unknown to us, wrong shapes, damaged files, or no such device.
    """
    device = torch.device(device)

    def kind(name: str) -> torch.dtype:
        return torch.float32 if name.startswith(float32) and float32 else dtype

    if files is None and device.type != "meta":
        with torch.random.fork_rng(devices=[]):
            torch.random.default_generator.manual_seed(seed)
            module = make()
        tensors = {name: _moved(value, device, kind(name)) for name, value in module.state_dict().items()}
    else:
        with torch.device("meta"):
            module = make()
        names = module.state_dict()
        if files is None or device.type == "meta":
            tensors = {name: value.to(kind(name)) for name, value in names.items()}
        else:
            plan = {name: source(name) for name in names}
            _check(files, {name: (s, tuple(names[name].shape)) for name, s in plan.items()}, known)
            tensors = {name: _moved(value, device, kind(name)) for name, value in _stream(files, plan)}
    module.load_state_dict(tensors, assign=True)
    module.revision = files.revision if files is not None else None
    return module.requires_grad_(False).eval()


def released_shapes(module: nn.Module, source: Callable[[str], Source]) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the released tensors that a network is made from."""
    shapes: dict[str, tuple[int, ...]] = {}
    for name, value in module.state_dict().items():
        found, third = source(name)
        shape = tuple(value.shape)
        shapes[found] = shape if third is None else (3 * shape[0], *shape[1:])
    return shapes


def released_tensors(module: nn.Module, source: Callable[[str], Source]) -> dict[str, torch.Tensor]:
    """The weights of a network under the released names, with q, k and v fused again where they were."""
    whole: dict[str, torch.Tensor] = {}
    thirds: dict[str, dict[int, torch.Tensor]] = {}
    for name, value in module.state_dict().items():
        found, third = source(name)
        if third is None:
            whole[found] = value.detach().cpu().contiguous()
        else:
            thirds.setdefault(found, {})[third] = value.detach().cpu()
    return whole | {name: torch.cat([parts[0], parts[1], parts[2]]) for name, parts in thirds.items()}


def _stream(files: WeightFiles, plan: Mapping[str, Source]) -> Iterable[tuple[str, torch.Tensor]]:
    by_path: dict[Path, list[str]] = {}
    for name, wanted in plan.items():
        by_path.setdefault(files.tensors[wanted.name].path, []).append(name)
    for path, names in by_path.items():
        with open_safetensors(path) as handle:
            for name in names:
                wanted = plan[name]
                stored = files.tensors[wanted.name]
                if wanted.third is None:
                    yield name, handle.get_tensor(stored.key)
                else:
                    n = stored.shape[0] // 3
                    yield name, handle.get_slice(stored.key)[wanted.third * n : (wanted.third + 1) * n]


def _moved(value: torch.Tensor, device: torch.device, dtype: torch.dtype) -> torch.Tensor:
    """A copy, never a view of the mapped file: that file may be replaced while we live."""
    try:
        return value.to(device=device, dtype=dtype, copy=True)
    except (RuntimeError, AssertionError) as error:
        reason = " ".join(str(error).split())[:200]
        raise EncoderError(f"the weights cannot be put on '{device}' ({reason}); try 'cpu'") from error


def _check(
    files: WeightFiles, plan: Mapping[str, tuple[Source, tuple[int, ...]]], known: Callable[[str], bool]
) -> None:
    """All that does not fit, in one error."""
    missing = sorted({wanted.name for wanted, _ in plan.values()} - set(files.tensors))
    strange = sorted(name for name in files.tensors if not known(name))
    faults = []
    if missing:
        faults.append(f"it lacks {len(missing)} tensors ({some_of(missing)})")
    if strange:
        faults.append(f"it has {len(strange)} of other names ({some_of(strange)})")
    for wanted, shape in plan.values():
        if wanted.name not in files.tensors:
            continue
        found = files.tensors[wanted.name].shape
        expected = shape if wanted.third is None else (3 * shape[0], *shape[1:])
        if found != expected:
            faults.append(f"{wanted.name} is {list(found)}, expected {list(expected)}")
            break
    if faults:
        raise EncoderError(
            f"the weights of {files.where} do not fit: {'; '.join(faults)}; give weights of this architecture "
            "with the config.json that belongs to them"
        )
