"""The command line. Each verb is a function in `spaceland.commands`; its signature and docstring are its interface.

Only the verb that is called is imported, so `spaceland --help` stays fast.
"""

from __future__ import annotations

import importlib
import keyword
import os
import sys
from collections.abc import Sequence

from spaceland.errors import SpacelandError
from spaceland.version import __version__

VERBS = {
    "demo": "make sample rooms, questions, marked views and scores, and a page that shows them",
    "check": "say what a source holds, what is missing and what is odd",
    "generate": "make spatial questions with checked answers from scenes",
    "verify": "derive every answer of a dataset anew from its scenes",
    "audit": "how even a dataset is, and what one scores without looking",
    "review": "accept or reject samples by eye, on a local page",
    "report": "one HTML page that shows a dataset",
    "reconstruct": "a level scene with objects from a video, pictures or posed depth",
    "mark": "bird's-eye view and frames with the same object numbers, and a prompt",
    "ask": "ask a vision-language model about a room, with evidence for the answer",
    "view": "a scene in 3D, with questions of a dataset and predictions",
    "web": "a local page: drop a video, watch the stages, turn the room, ask",
    "export": "a dataset in the formats of SPAR-7M, LLaVA, ShareGPT, Hugging Face, WebDataset",
    "import": "read released SPAR-7M folders, and derive their answers anew",
    "mix": "a weighted training mixture of datasets",
    "scanalign": "GPT4Scene's training set from the published annotations",
    "vgllm-data": "VG LLM's training and evaluation sets: built, read, written from our rows",
    "train": "train a vision-language model, plain or with a geometry encoder",
    "cut": "a benchmark from a held-out dataset",
    "score": "score predictions, or a baseline",
    "serve": "a model behind the OpenAI chat protocol, on this machine",
    "evaluate": "a model on a benchmark: predictions as they come, then scores",
    "compare": "results side by side, with paired intervals, a leaderboard and a failure gallery",
    "rescore": "logs of lmms-eval, VLMEvalKit or others, scored anew under any protocol",
    "save": "write scenes as open scene folders",
    "doctor": "versions, extras and known traps of this installation",
}
_BROKEN_PIPE = 141
"""What shells say of a program that wrote to a closed pipe."""
_HELP = """usage: spaceland VERB [OPTIONS]

Take vision-language models from flat images into 3D space.

{verbs}

Sources are named kind:location, for example rooms:7, scannet:/data/scans, rgbd:kitchen, folder:out/scenes.
`spaceland VERB --help` tells the options of a verb. `spaceland demo` is a good start.
"""


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code: 0 good, 1 the result is bad, 2 it could not be done."""
    try:
        try:
            code = run(sys.argv[1:] if argv is None else list(argv))
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # `| head` has read enough. What is still buffered goes nowhere, or the interpreter would complain at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = _BROKEN_PIPE
    sys.exit(code)


def run(argv: list[str]) -> int:
    """The exit code of a command line."""
    if not argv or argv[0] in ("-h", "--help"):
        print(_HELP.format(verbs="\n".join(f"  {verb:<12}{text}" for verb, text in VERBS.items())))
        return 0
    if argv[0] in ("-V", "--version"):
        print(f"spaceland {__version__}")
        return 0
    verb = argv[0]
    if verb not in VERBS:
        import difflib

        close = difflib.get_close_matches(verb, VERBS, n=1)
        hint = f"did you mean '{close[0]}'?" if close else f"verbs are {', '.join(VERBS)}"
        print(f"spaceland: unknown verb '{verb}'; {hint}", file=sys.stderr)
        return 2
    import tyro

    name = f"{verb}_" if keyword.iskeyword(verb) else verb.replace("-", "_")
    command = getattr(importlib.import_module(f"spaceland.commands.{name}"), name)
    try:
        return int(tyro.cli(command, args=argv[1:], prog=f"spaceland {verb}") or 0)
    except SpacelandError as error:
        print(f"spaceland: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("spaceland: stopped; run the same command again to go on", file=sys.stderr)
        return 130


if __name__ == "__main__":
    main()
