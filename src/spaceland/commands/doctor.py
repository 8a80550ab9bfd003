"""`spaceland doctor`: the block to paste into a bug report."""

from __future__ import annotations

import contextlib

CORE = ("numpy", "scipy", "pillow", "trimesh", "embreex", "av", "pyarrow", "tyro", "rich", "jaxtyping", "httpx")
OPTIONAL = {
    "recon": ("open3d", "pycolmap", "opencv-python-headless"),
    "detect": ("ai-edge-litert",),
    "model": ("torch", "transformers", "torchvision"),
    "web": ("viser",),
    "phone": ("pyliblzfse",),
    "ray": ("ray",),
}
"""Packages by extra; torchvision belongs to none and is looked at because a broken one breaks transformers."""
_MODULES = {
    "pillow": "PIL",
    "opencv-python-headless": "cv2",
    "ai-edge-litert": "ai_edge_litert",
    "pyliblzfse": "liblzfse",
}
SYSTEM = {"chromium": "shows pages in tests"}


def doctor() -> int:
    """Print versions, extras and known traps of this installation; exit code 1 when something is broken."""
    import platform
    import shutil

    from spaceland.cache import default_cache_dir
    from spaceland.version import __version__

    print(f"spaceland  {__version__}")
    print(f"python     {platform.python_version()} on {platform.system()} {platform.machine()}")
    print(f"cache      {default_cache_dir()}")
    problems = [problem for name in CORE if (problem := _package(name))]
    for extra, names in OPTIONAL.items():
        print(f"extra {extra}:")
        problems += [problem for name in names if (problem := _package(name, needed=False))]
    print("programs:")
    for program, use in SYSTEM.items():
        print(f"  {program:<24} {shutil.which(program) or f'not found ({use})'}")
    problems += _ray_problem()
    for problem in problems:
        print(f"PROBLEM: {problem}")
    print("Next: spaceland demo" if not problems else f"{len(problems)} problem(s) found")
    return 1 if problems else 0


def _package(name: str, needed: bool = True) -> str | None:
    """Print a package's version; what is wrong with it, if anything."""
    import importlib
    import importlib.metadata

    try:
        version = _version(name)
    except importlib.metadata.PackageNotFoundError:
        print(f"  {name:<24} not installed")
        return f"{name} is not installed: pip install spaceland" if needed else None
    try:
        importlib.import_module(_MODULES.get(name, name))
    except Exception as error:  # a broken binary wheel may raise anything
        print(f"  {name:<24} {version}  DOES NOT IMPORT ({type(error).__name__}: {error})")
        if name == "torchvision":
            return (
                "torchvision is installed but cannot be imported, which breaks transformers too: its wheel does "
                "not match "
                "torch; pip uninstall torchvision, or install the pair that belongs together"
            )
        return f"{name} {version} is installed but cannot be imported: {error}"
    print(f"  {name:<24} {version}")
    return None


def _version(name: str) -> str:
    """The installed version; Open3D has a package of another name for machines without a GPU."""
    import importlib.metadata

    if name == "open3d":
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            return importlib.metadata.version("open3d-cpu")
    return importlib.metadata.version(name)


def _ray_problem() -> list[str]:
    """Cast one ray at one triangle: a broken Embree build shows here and not in the middle of a run."""
    try:
        import numpy as np

        from spaceland.geometry.raycast import RayCaster

        triangle = np.array([[0.0, 0.0, 2.0], [1.0, 0.0, 2.0], [0.0, 1.0, 2.0]])
        hits = RayCaster(triangle, np.array([[0, 1, 2]])).cast(np.zeros(3), np.array([[0.1, 0.1, 1.0]]))
        return (
            []
            if abs(float(hits.distance[0]) - 2.0) < 1e-6
            else [f"ray casting is wrong: hit at {hits.distance[0]}, not 2"]
        )
    except Exception as error:  # whatever it is, the user should see it here
        return [f"ray casting does not work: {error}"]
