"""Which objects an answer names, stated case by case, and that no text can hurt the parser."""

from __future__ import annotations

import gc
import json
import random
import time

import pytest

from spaceland.asking.parse import parse_ids

LABELS = {0: "door", 3: "armchair", 7: "office chair", 12: "table", 99: "lamp"}
CHAIRS = {0: "door", 3: "chair", 4: "lamp", 6: "chair", 7: "office chair", 9: "sofa"}


@pytest.mark.parametrize(
    "text",
    [
        "<OBJ003>, <OBJ007> and <OBJ012>.",
        "Yes. <OBJ003>, <OBJ007>, and <OBJ012>.",
        "<obj003> <obj007> <obj012>",
        "&lt;OBJ003&gt; &lt;OBJ007&gt; &lt;OBJ012&gt;",
        "objects 3, 7 and 12",
        "Object IDs: 3, 7, 12",
        "The ids are [3, 7, 12].",
        "#3, #7, #12",
        '{"ids": [3, 7, 12]}',
        '{"objects": [{"id": 3}, {"id": "<OBJ007>"}, {"id": "12"}]}',
        'Sure!\n```json\n{"ids": ["OBJ003", 7, 12]}\n```\nHope that helps',
        "[3, 7, 12]",
        "**Object 3**, mark 7, and `OBJ012`",
        "object **3**, object *7*, __object 12__".replace("__", "**"),
        "1. <OBJ003>\n2. <OBJ007>\n3. <OBJ012>",
        "- object 3\n- object #7\n- the object with number 12",
        "the armchair (3), the office chair 7, and the table (12)",
        "object3, item 7 and OBJ12",
        "No. 3, No. 7 and no. 12",
        "Objects nos. 3, 7 and 12",
        "objects 3-7 and 12",
        "Objects 3 to 12.",
        "marks 3\u201312",
        "Not only <OBJ003> but also <OBJ007> and <OBJ012>.",
        "There is no doubt: objects 3, 7 and 12.",
        "Object 3 is not occupied. Neither is broken: object 7, object 12.",
        "The chair that is not at the table is <OBJ003>; not far from it: #7, #12",
        "<think>Is it object 99 or 0?</think>Objects 3, 7 and 12 fit.",
        "Object 3 in Image 4, object 7 in Images 0 and 4, object 12 is 0.5 m from Img_99.",
    ],
)
def test_ways_to_name_objects(text: str) -> None:
    parsed = parse_ids(text, LABELS)
    assert parsed.ids == (3, 7, 12) and parsed.unknown == () and not parsed.says_none


@pytest.mark.parametrize(
    "text",
    ["2 chairs", "There are 3 objects.", "Image 3", "Img_3", "Img 3", "images 3 and 7", "Frame 12", "frame 000012",
     "1.5 m", "3 m", "object 3.5", "the object 3 m away", "3D", "3x4", "12%", "In step 3", "3", "3, 7", "at [3, 7]",
     "number of chairs is 3", "The count is 3.", "object twelve", "", " ", "[true]", "[3.5]", '{"count": 3}',
     '{"answer": 3}', "It costs $12", "Image number 3", "the lamp 3"],
)  # fmt: skip
def test_what_is_no_id(text: str) -> None:
    parsed = parse_ids(text, LABELS)
    assert parsed.ids == () and parsed.unknown == () and not parsed.says_none and parsed.silent


@pytest.mark.parametrize(
    "text",
    ["none", "None.", "**None**", "No object fits.", "no", "No.", "No matching object", "Nothing.", "[]", '{"ids": []}',
     '{"ids": null}', '{"ids": "none"}', '{"ids": [-1]}', "Answer: none", "There is no such object.", "null", "n/a",
     "None of the objects; object 3 is the nearest", "No object matches, though object 0 is similar",
     "There is no such object; <OBJ000> is a door.", "There is none: <OBJ000> is a door.",
     "There's no object that fits.", "Answer: no such object. <OBJ000> is a door.",
     "No, it is not object 0.", "There is no object 0."],
)  # fmt: skip
def test_none_is_an_answer_and_never_object_0(text: str) -> None:
    for known in (LABELS, {0}):
        parsed = parse_ids(text, known, bare_numbers=True)
        assert parsed.says_none and parsed.chosen == () and not parsed.silent


@pytest.mark.parametrize(
    ("text", "chosen"),
    [
        ("It is not object 3 but object 7.", (7,)),
        ("It isn't object 3, it's object 7.", (7,)),
        ("It isn\u2019t the old armchair <OBJ003>. It is <OBJ007>.", (7,)),
        ("<OBJ007>, not <OBJ003>.", (7,)),
        ("<OBJ007> rather than the armchair <OBJ003>", (7,)),
        ("All but one, other than object 3: objects 7 and 12", (7, 12)),
        ("Sit on object 7, not on object 3.", (7,)),
        ("Neither <OBJ003> nor <OBJ012>.", ()),
        ("not <OBJ003>, <OBJ007> or <OBJ012>", ()),
        ("<OBJ003> does not match; <OBJ007> does.", (7,)),
        ("Objects 3 and 12 do not fit, object 7 does.", (7,)),
        ("- not object 3\n- object 7", (7,)),
        ("Object 3 is a door. No, it is not object 3.", ()),
        ("I do not think that it is object 3.", ()),
        ("I am not sure, but object 3", (3,)),
        ("Object 3 is not near object 7.", (3, 7)),
        ("The shelf with no objects on it is <OBJ003>.", (3,)),
        ("No, <OBJ003> is nearer.", (3,)),
    ],
)
def test_ids_that_are_turned_down_are_mentioned_and_not_chosen(text: str, chosen: tuple[int, ...]) -> None:
    parsed = parse_ids(text, LABELS, bare_numbers=True)
    assert parsed.chosen == chosen and set(parsed.ids) == {*chosen, *parsed.denied} and parsed.unknown == ()


def test_no_with_a_number_is_a_number() -> None:
    for text in ("No. 3", "No 3", "no. 3.", "No. 3 is the one.", "Object no. 3"):
        parsed = parse_ids(text, LABELS, bare_numbers=True)
        assert parsed.chosen == (3,) and not parsed.says_none, text
    assert parse_ids("No. 3 chairs are there.", LABELS).ids == ()
    assert parse_ids("Image No. 3", LABELS).silent


def test_plurals_of_labels_and_ranges() -> None:
    assert parse_ids("Chairs 3 and 6.", CHAIRS).ids == (3, 6)
    assert parse_ids("Chairs 3, 4 and 6.", CHAIRS).ids == (3, 6)  # 4 is a lamp
    assert parse_ids("chairs 3-7", CHAIRS).ids == (3, 6, 7)
    assert parse_ids("objects 3-7", CHAIRS).ids == (3, 4, 6, 7)
    assert parse_ids("chairs 3-7, objects 3-7", CHAIRS).ids == (3, 6, 7, 4)
    assert parse_ids("3-7", CHAIRS, bare_numbers=True).ids == (3, 4, 6, 7)
    assert parse_ids("objects 3-7-9", CHAIRS).ids == (3, 7, 9)
    assert parse_ids("objects 7-3", CHAIRS).ids == (7, 3)
    assert parse_ids("objects 6-99", CHAIRS) == parse_ids("objects 6, 7, 9 and 99", CHAIRS)
    assert parse_ids("not objects 3-7", CHAIRS).chosen == ()
    assert parse_ids("from object 3 to object 7", CHAIRS).ids == (3, 7)
    assert parse_ids("images 3-7", CHAIRS).silent and parse_ids("objects 3 - 7 chairs", CHAIRS).ids == (3,)


def test_absence_means_none_where_objects_were_asked_for() -> None:
    for text in (
        "There is no lamp; <OBJ003> is an armchair.", "No lamp fits, <OBJ003> is an armchair.",
        "Sorry, I cannot find such a lamp. <OBJ003> is an armchair.", "After all, there is no such thing. <OBJ003>?",
    ):  # fmt: skip
        assert parse_ids(text, LABELS, bare_numbers=True).says_none, text
    for text in ("<OBJ003>. There is no other.", "No other object fits, so <OBJ003>.", "None other than <OBJ003>",
                 "There is no object other than <OBJ003>.", "Nothing but <OBJ003> fits."):  # fmt: skip
        assert parse_ids(text, LABELS, bare_numbers=True).chosen == (3,), text
    assert parse_ids("There is no lamp, but you can sit on <OBJ003>.", LABELS).chosen == (3,)
    assert not parse_ids("On the sofa; nothing is in the way.", LABELS).says_none


def test_ids_that_do_not_exist_are_reported() -> None:
    parsed = parse_ids("<OBJ005>, object 55, #7, <OBJ003> and OBJ123456789012345678901234567890", LABELS)
    assert parsed.ids == (7, 3) and parsed.unknown == ("5", "55", "123456789012...")
    assert parse_ids('{"ids": [3, 55]}', LABELS).unknown == ("55",)
    assert parse_ids("<OBJ000>", {1}).unknown == ("0",)


def test_numbers_alone_are_ids_only_where_ids_were_asked_for() -> None:
    for text in ("3, 7 and 12", "3 7 12", "[3, 7, 12]", " **3**, **7**, **12**. ", "3\n7\n12", "IDs: 3, 7, 12"):
        assert parse_ids(text, LABELS, bare_numbers=True).ids == (3, 7, 12), text
    assert parse_ids("12.", LABELS, bare_numbers=True).ids == (12,)
    assert parse_ids('{"answer": 12}', LABELS, bare_numbers=True).ids == (12,)
    assert parse_ids("about 12 or so", LABELS, bare_numbers=True).silent


def test_counts_inside_lists_are_no_ids() -> None:
    assert parse_ids("object 3 and 7 chairs", LABELS).ids == (3,)
    assert parse_ids("objects 3, 7, and 12 stand there; 99 lamps too", LABELS).ids == (3, 7, 12)


def test_first_mention_decides_the_order_and_ids_come_once() -> None:
    assert parse_ids("object 12, then object 3, then object 12 again", LABELS).ids == (12, 3)


def test_every_id_is_read_back_from_every_form() -> None:
    known = set(range(1000))
    for number in range(0, 1000, 7):
        for form in (f"<OBJ{number:03d}>", f"Object {number}.", f"#{number}", json.dumps({"ids": [number]})):
            assert parse_ids(form, known).ids == (number,)


PIECES = ["<OBJ", "OBJ", "object ", "objects", "#", "12", "003", "0" * 30, "9" * 5000, ",", " and ", "[", "]", "{", "}",
          '"ids"', ":", "**", "`", "```json", "\n", "none", "no ", "Image ", "</think>", "<think>", "(", ")", ".", "-1",
          "1.5", "1.1.1.1", "\x00", "\ud800", "\u202e", "\u0663", "\U0001f600", "\\", "'", "__import__('os')", "m ",
          "1e999", "NaN", "true", "\\u0000", "</script>", "%s", "{0.__class__}", " " * 50,
          "not ", "neither", "isn't", "No. ", "-", "\u2013", " to ", "chairs"]  # fmt: skip


def test_hostile_texts_raise_nothing() -> None:
    rng = random.Random(7)
    for _ in range(20_000):
        text = "".join(
            rng.choice(PIECES) if rng.random() < 0.85 else chr(rng.randrange(0x3000)) for _ in range(rng.randrange(25))
        )
        parsed = parse_ids(text, LABELS, bare_numbers=rng.random() < 0.5)
        assert set(parsed.ids) <= set(LABELS) and all(len(word) <= 15 for word in parsed.unknown)


@pytest.mark.parametrize(
    "piece",
    ["object ", "objects 3, ", "9", "1.", "[", "{", '{"ids": [', "<OBJ", "#", " ", "3 ", "\n1. ", "a", "***", "OBJ1",
     "no ", "(3", "3,", "```", "</think>", "-", "{\"a\":",
     "not ", "not the ", "No. 3", "objects 3-99, ", "isn't 3 ", "objects 0-99 not "],
)  # fmt: skip
def test_time_grows_with_the_text_and_no_faster(piece: str) -> None:
    def seconds(length: int) -> float:
        text = piece * (length // len(piece))
        gc.disable()  # the collector also walks over all that other tests left behind
        try:
            start = time.process_time()
            parse_ids(text, LABELS, bare_numbers=True)
            return time.process_time() - start
        finally:
            gc.enable()

    # Eight times the text may take eight times as long, quadratic would be 64; a busy machine gets more tries.
    assert any(seconds(80_000) < 24 * seconds(10_000) + 0.02 for _ in range(8))
