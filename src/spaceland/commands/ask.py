"""`spaceland ask`: a question about a room, answered by a vision-language model, with evidence."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from spaceland.asking.templates import Task
from spaceland.commands.marking import DEFAULT as NO_SWITCHES
from spaceland.commands.marking import MarkSwitches, Projection, Switches, check_same, marked_views
from spaceland.commands.stages import DEFAULT, Stages, prepare_source
from spaceland.errors import ChatError

if TYPE_CHECKING:
    from spaceland.asking.evidence import Evidence
    from spaceland.asking.layout import LayoutConfig
    from spaceland.pipeline.config import PipelineConfig
    from spaceland.prompts import MarkConfig
    from spaceland.prompts.marked import MarkedFolder


def ask(
    source: tyro.conf.Positional[str],
    question: tyro.conf.Positional[str] = "",
    *,
    model: str | None = None,
    task: Task = "qa",
    out: Path = Path("out/ask"),
    scene: str | None = None,
    frames: int | None = None,
    layout: Literal["images", "grid"] = "images",
    table: bool = False,
    bev: bool = True,
    projection: Literal["orthographic", "perspective"] = "orthographic",
    marks: Annotated[tuple[int, ...], tyro.conf.arg(metavar="A [B]")] = (),
    situation: str = "",
    at: Annotated[tuple[float, float] | None, tyro.conf.arg(metavar="X Y")] = None,
    at_mark: int | None = None,
    facing: float | None = None,
    facing_mark: int | None = None,
    max_tokens: int | None = None,
    temperature: float = 0.0,
    detail: Literal["auto", "low", "high"] = "auto",
    reasoning: bool = False,
    key_variable: str = "OPENAI_API_KEY",
    timeout_s: float = 300.0,
    device: str = "auto",
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto",
    templates: Path | None = None,
    prices: Path | None = None,
    dry_run: bool = False,
    switches: Switches = NO_SWITCHES,
    stages: Stages = DEFAULT,
) -> int:
    """A question about a room, answered by a vision-language model, with evidence.

    Makes marked views of the scene, asks the model, reads which numbered objects the answer names, and writes
    answer.json, pictures with those objects lit (evidence/) and answer.html.

        spaceland ask rooms:7 "Where can I sit to read?" --dry-run
        spaceland ask room.mp4 "Where can I sit to read?" --model openai:qwen@http://localhost:8000/v1
        spaceland ask rooms:7 "Where can I sit to read?" --model openai:qwen@http://localhost:8000/v1
        spaceland ask out/marked "the chair at the window" --task ground --model local:Qwen/Qwen2.5-VL-3B-Instruct

    Args:
        source: A video, pictures or a scene, as for spaceland mark; or a folder that spaceland mark wrote.
        question: The question; a description for ground and ground-all; the things for count, such as "chairs".
        model: openai:NAME@URL, local:PATH, geometry:PATH or gpt4scene:PATH.
        task: What is asked; caption needs one number in --marks, distance two.
        out: Folder for the answer, the views (marked/) and the stages of a capture.
        scene: Scene id, needed when the source holds several.
        frames: Frames to show, evenly spread; 8 by default, 32 for gpt4scene.
        layout: images: every frame by itself. grid: all frames in one picture, then the bird's-eye view.
        table: Add a table of the numbered objects' labels and boxes.
        bev: Show the bird's-eye view.
        projection: Of the bird's-eye view: without perspective, or from a camera above the room as in the paper.
        marks: Numbers of the objects asked about.
        situation: For situated: where one is and looks, in words.
        at: For situated: place in metres on the axes of the bird's-eye view.
        at_mark: For situated: number of the object where one stands or sits.
        facing: For situated: direction in degrees anticlockwise from the x axis, seen from above.
        facing_mark: For situated: number of the object that one faces.
        max_tokens: Longest answer in tokens; 512 by default, 128 for gpt4scene.
        temperature: 0 always takes the likeliest word.
        detail: How closely an OpenAI-like server looks at pictures.
        reasoning: For servers' reasoning models: sends max_completion_tokens and no temperature.
        key_variable: Environment variable with the server's key; it may be unset.
        timeout_s: Longest silence of a server in seconds.
        device: For local models: auto, cpu, cuda, cuda:1, mps.
        dtype: For local models.
        templates: JSON file with texts of your own.
        prices: JSON file with prices of your own, for the estimate.
        dry_run: Show the whole request and its estimate; send nothing.
        switches: Which marks there are and how they look, as for spaceland mark. A folder that it wrote is asked as it
            is; a switch that does not agree with it is refused.
        stages: How a video or a recording becomes a scene (see spaceland reconstruct).
    """
    from spaceland.asking.answer import ask as ask_model
    from spaceland.asking.evidence import write_evidence
    from spaceland.asking.layout import RELEASED, LayoutConfig
    from spaceland.asking.request import AskConfig, build_request, check_question, show_request
    from spaceland.asking.situation import Situation
    from spaceland.asking.templates import FINETUNED, ZERO_SHOT, read_templates
    from spaceland.chat.estimate import estimate, read_prices
    from spaceland.chat.open_model import HOW, ModelOptions, open_model, parse_model
    from spaceland.chat.types import Generation
    from spaceland.viewer.answer_page import write_answer_page

    if model is None and not dry_run:
        raise ChatError(f"no model to ask: give {HOW}; or --dry-run to see the request without sending it")
    spec = parse_model(model) if model else None
    tuned = spec is not None and spec.kind == "gpt4scene"
    words = FINETUNED if tuned else ZERO_SHOT
    place = Situation(text=situation, at_m=at, at_mark=at_mark, facing_deg=facing, facing_mark=facing_mark)
    config = AskConfig(
        task=task,
        templates=read_templates(templates, words) if templates else words,
        layout=_sizes(replace(RELEASED, bev=bev) if tuned else LayoutConfig(kind=layout, bev=bev), switches),
        table=table,
        marks=marks,
        situation=place if place != Situation() else None,
        generation=Generation(max_tokens or (128 if tuned else 512), temperature, seed=0 if temperature else None),
    )
    known_prices = read_prices(prices) if prices else {}
    options = ModelOptions(
        key_variable=key_variable,
        read_s=timeout_s,
        detail=None if detail == "auto" else detail,
        reasoning=reasoning,
        device=device,
        dtype=dtype,
    )
    # What is wrong with the question or the model is told before a video is worked through for minutes.
    check_question(question, config)
    if switches.no_marks and task in ("ground", "ground-all"):
        raise ChatError(f"task {task} is answered with numbers, and --no-marks leaves them out; give one of the two")
    wanted = switches.config((32 if tuned else 8) if frames is None else frames, projection)
    wanted = replace(wanted, layout="images" if tuned else layout)
    marked = _marked_folder(source, frames, switches, projection)
    opened = None if dry_run or spec is None else open_model(spec, options)
    marked = marked or make_marked(source, scene, out, wanted, stages)
    request = build_request(marked, question, config)
    guess = estimate(
        request.messages,
        request.generation,
        model=("gpt4scene" if tuned else spec.name) if spec else "",
        detail=detail,
        prices=known_prices,
    )
    if opened is None:
        print(show_request(request.messages))
        print(f"--- {guess}")
        print("Nothing was sent." + ("" if spec else f" To ask, give {HOW}."))
        return 0
    print(guess)
    answer = ask_model(opened, request, marked)
    evidence = write_evidence(out, marked, answer, estimate=guess, text=question)
    _print_answer(evidence, write_answer_page(evidence))
    return 0


def _marked_folder(
    source: str, frames: int | None, switches: MarkSwitches, projection: Projection
) -> MarkedFolder | None:
    """The folder of spaceland mark that the source is, with all frames or `frames` of them evenly spread; else None.

    Raises:
        ChatError: it was made with other switches than those that are given.
        SceneError: its record makes no sense.
    """
    from spaceland.prompts.marked import is_marked_folder, read_marked
    from spaceland.sampling import evenly

    if not is_marked_folder(Path(source)):
        return None
    marked = read_marked(Path(source))
    check_same(marked, switches, projection)
    if frames is None:
        return marked
    chosen = evenly(len(marked.frames), max(0, frames))
    return replace(marked, frames=tuple(marked.frames[k] for k in chosen))


def make_marked(source: str, scene: str | None, out: Path, wanted: MarkConfig, stages: PipelineConfig) -> MarkedFolder:
    """Marked views of a source, made in `out`/marked."""
    from spaceland.prompts.marked import read_marked

    marked_views(prepare_source(source, scene, out, stages).scene, out / "marked", wanted)
    return read_marked(out / "marked")


def _sizes(layout: LayoutConfig, switches: MarkSwitches) -> LayoutConfig:
    """The layout with pictures as large as the switches make them, so that nothing is resized after marking."""
    if layout.kind == "gpt4scene":
        if (switches.long_side or 0) > layout.frame_px:
            raise ChatError(
                f"gpt4scene sees pictures of {layout.frame_px} px; --long-side {switches.long_side} is more"
            )
        return layout
    if switches.long_side is None:
        return replace(layout, bev_px=switches.size)
    side = switches.long_side
    return replace(layout, bev_px=side, frame_px=side, tile_px=min(side, layout.tile_px))


def _print_answer(evidence: Evidence, page: Path) -> None:
    record = evidence.record
    # The model's words go to a terminal: control characters stay out.
    print("".join(c if c.isprintable() or c == "\n" else " " for c in record["answer"]))
    if not record["complete"]:
        print("The answer is cut off; raise --max-tokens.")
    unit = " m" if record["scale_known"] else " in an unknown unit"
    for thing in record["objects"]:
        center, size = (", ".join(f"{v:.2f}" for v in thing[key]) for key in ("center_m", "size_m"))
        lengths = f"centre ({center}){unit}, size ({size}){unit}"
        print(f"  {thing['mark']} {thing['label']}: {lengths}, {len(thing['frames'])} frames")
    if record["says_none"]:
        print("  It says that there is no such object.")
    elif not record["objects"]:
        print("  It names no numbered object.")
    if record["unknown_ids"]:
        print(f"  Numbers that no object carries: {', '.join(record['unknown_ids'])}")
    if record["number"] is not None:
        print(f"  Number read: {record['number']:g}{unit if record['task'] == 'distance' else ''}")
    print(f"Wrote {evidence.folder / 'answer.json'}, {len(record['pictures'])} pictures and {page}")
