"""Where models run."""

from __future__ import annotations

from typing import Any

from spaceland.errors import ChatError, SpacelandError, first_line


def check_device(wanted: Any, problem: type[SpacelandError]) -> Any:
    """The `torch.device` that is meant by its name.

    Raises:
        problem: there is no such device, or this torch cannot use it.
    """
    import torch

    try:
        return torch.empty(0, device=wanted).device
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        # What torch raises for an unknown name, for one it was built without, and for one without this operation.
        raise problem(
            f"device '{wanted}' cannot be used: {first_line(error)}; give cpu, cuda, cuda:1 or mps"
        ) from error


def pick_device(wanted: str = "auto") -> str:
    """The device that is meant: "auto" is a GPU if there is one, else the processor.

    Raises:
        ChatError: there is no such device, or this torch cannot use it.
    """
    import torch

    if wanted != "auto":
        check_device(wanted, ChatError)
        return wanted
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"
