"""Errors that a user can act on.

Every message says what was found, what was expected and what to do. Anything else that is raised is a bug of ours.
"""


class SpacelandError(Exception):
    """Base of all errors that are about the user's input or machine, not about our code."""


class SourceError(SpacelandError):
    """A scene source does not exist, is not recognised or cannot be listed."""


class SceneError(SpacelandError):
    """A scene was found but its content is broken: a missing or truncated file, an impossible pose, no objects."""


class OutputError(SpacelandError):
    """Something could not be written, or the output folder holds results of another configuration."""


class ReconstructionError(SpacelandError):
    """Geometry could not be estimated: too little motion, too few matches, no floor, ..."""


class ChatError(SpacelandError):
    """A model could not be asked, or its answer is none."""


class EncoderError(SpacelandError):
    """A geometry encoder cannot take these frames, has no such layer or head, or its weights do not fit."""


class TrainingError(SpacelandError):
    """Training cannot begin or go on: a wrong preset or configuration, broken data, a checkpoint of another run."""


class DependencyError(SpacelandError):
    """An optional dependency is missing."""


def require(module: str, extra: str) -> None:
    """Raise `DependencyError` with the pip command when the optional `module` cannot be imported."""
    import importlib

    try:
        importlib.import_module(module)
    except ImportError as error:
        raise DependencyError(
            f"this needs {module}, which could not be imported ({error}): pip install 'spaceland[{extra}]'"
        ) from error


def first_line(error: BaseException, most: int = 300) -> str:
    """The first line of what another library says went wrong, its kind where it says nothing."""
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__)[:most]
