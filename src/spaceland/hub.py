"""What is said before weights are fetched from the Hugging Face Hub: from where, and under which licence."""

from __future__ import annotations

import sys


def announce_weights(repo: str, revision: str | None = None) -> None:
    """Say on stderr which weights are about to be used and under which licence, unless they are here already."""
    from huggingface_hub import model_info, try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        if isinstance(try_to_load_from_cache(repo, "config.json", revision=revision), str):
            return
    except HFValidationError:  # no id at all, a misspelt folder say: whoever opens it says so in full
        return
    try:
        info = model_info(repo, timeout=20)
        card = info.card_data
        licence = (card.get("license_name") or card.get("license")) if card else None
    except Exception:  # without an answer the download itself will say what is wrong
        licence = None
    print(f"weights: {repo} from huggingface.co, licence: {licence or 'not stated, see its page'}", file=sys.stderr)
