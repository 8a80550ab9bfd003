"""Names of the sets in one folder: settings that give other pictures have other names, so all of them stay valid.

Worked example. Eight frames without a bird's-eye view, 30 % of the marks dropped, for a model that sees 512 pixels:

    8_images_mark_drop30_img512

A look that has no word here gets a digest at the end, so two settings never share a folder of pictures.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, replace

from spaceland.prompts import BevConfig, MarkConfig


def setting_name(mark: MarkConfig, proposals: str | None = None) -> str:
    """What a set is called: frames, bird's-eye view ("3D") and marks as in the paper's files, then what was changed.

    >>> setting_name(MarkConfig(num_frames=32)), setting_name(MarkConfig(bev=None, marks=False, mark_size_px=50))
    ('32_images_3D_mark', '8_images_nomark_size50')

    Args:
        mark: What the pictures look like.
        proposals: Who found the objects; None for the annotated ones.
    """
    words = [
        f"{mark.num_frames}_images",
        "3D" if mark.bev else "",
        "mark" if mark.marks else "nomark",
        f"drop{100 * mark.drop_share:g}" if mark.drop_share else "",
        f"seed{mark.seed}" if mark.seed else "",
        "" if mark.mark_size_px is None else f"size{mark.mark_size_px:g}",
        "" if mark.model_long_side_px is None else f"img{mark.model_long_side_px}",
        proposals or "",
        _digest_of_the_rest(mark),
    ]
    return "_".join(word for word in words if word)


def _digest_of_the_rest(mark: MarkConfig) -> str:
    """A digest of all that has no word in the name; nothing where it is as usual."""
    usual = MarkConfig(num_frames=mark.num_frames, bev=None if mark.bev is None else BevConfig())
    rest = replace(
        mark,
        marks=usual.marks,
        drop_share=usual.drop_share,
        seed=usual.seed,
        mark_size_px=usual.mark_size_px,
        model_long_side_px=usual.model_long_side_px,
    )
    if rest == usual:
        return ""
    return hashlib.blake2b(json.dumps(asdict(rest)).encode(), digest_size=4).hexdigest()
