"""Reading boxes from text: Python's own notation, tolerant JSON, ids, and what hostile text costs."""

from __future__ import annotations

import ast
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spaceland.benchmarks.box_text import (
    MAX_DEPTH,
    bare_ids,
    location_box,
    numbers,
    object_ids,
    official_lines,
    pixel_box,
    python_literal,
    values_in,
    world_box,
    world_boxes,
)

literals = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**6), 10**6)
    | st.floats(-1e6, 1e6)
    | st.text("ab c'\"\\\n,[", max_size=6),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text("xyz", max_size=3), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(literals)
@settings(max_examples=200, deadline=None)
def test_what_python_prints_is_read_back(value: object) -> None:
    assert python_literal(repr(value)) == value
    assert python_literal(f" ( {value!r} ,) # so") == (value,)
    assert values_in(f"It's {[value]!r}, he said.") == [[value]]


@pytest.mark.parametrize(
    "text",
    [
        "[1, 2,]", "{'a': 1,}", "(1)", "(1,)", "1,", "()", "[]", "{}", "00", "1_000", ".5", "5.", "1e3", "-1.5E-2",
        "+3", '"a\\"b"', "{1: 2}", "[(1, 2), [3]]", "1, 2", "[1] # why",
    ],
)  # fmt: skip
def test_notation_is_pythons(text: str) -> None:
    assert python_literal(text) == ast.literal_eval(text)


@pytest.mark.parametrize(
    "text",
    [
        "", " ", ",", "1,,", "[1,,2]", "(,)", "007", "1__0", "1 2", "[1 2]", "{'a' 1}", "{[1]: 2}", "'a", "[1", "true",
        "null", "nan", "__import__('os')", "[].append(1)", "1+1", "{1, 2}", "f'x'", "9" * 5000, "[1] x",
        "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1),
    ],
)  # fmt: skip
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        python_literal(text)


def test_values_are_found_in_prose_and_rescued_from_what_breaks_off() -> None:
    assert values_in("none") == []
    assert values_in('```json\n[{"a": true}, {"b": null}]\n```') == [[{"a": True}, {"b": None}]]
    assert values_in("The chair's at [1, 2] and it's [3]") == [[1, 2], [3]]
    assert values_in('[{"label": "a", "bbox_3d": [1]}, {"label": "b", "bbox_3d": [1, 2') == [
        {"label": "a", "bbox_3d": [1]}
    ]
    assert values_in("[[1] [2]] {x} (3) [4, five]") == [[1], [2]]
    assert values_in("[1, 2") == []
    deep = "[" * (MAX_DEPTH + 5) + "]" * (MAX_DEPTH + 5)
    assert len(values_in(deep)) == 1


def test_lines_are_those_of_the_released_scorer() -> None:
    assert official_lines('```json\n\t{"frame": 1}\n```') == ['\t{"frame": 1}']
    assert official_lines("soon\nnot json") == ["not "]  # letters of "json" go, whatever word they end


def test_object_ids_keep_order_and_doubles() -> None:
    assert object_ids("<OBJ004>, <OBJ012> and <OBJ004>; not <OBJ7> or OBJ003 or <OBJ0001>") == [4, 12, 4]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Yes. <OBJ012> and <OBJ004>.", [12, 4]),
        ("The chairs are 12 and 4", [12]),  # the last character is lost
        ("Img_3 and Image 14 show 7.", [7]),
        ("1. chair 5\n2. chair 8\n", [5, 8]),
        ("It is 0.5 m from 3 things ", [5, 3]),
        ("", []),
        ("9" * 5000 + " ", []),
    ],
)
def test_bare_ids(text: str, expected: list[int]) -> None:
    assert bare_ids(text) == expected


def test_location_box() -> None:
    text = "<LOCATION> <LOC540> <LOC600> <LOC552> <LOC573> <LOC558> <LOC565> <LOC001> </LOCATION>"
    assert location_box(text) == pytest.approx([0.4, 1.0, 0.52, 0.73, 0.58, 0.65])
    assert location_box("<LOC540> <LOC600>") is None


def test_pixel_box() -> None:
    box = pixel_box("I think Frame-12,(412,530),2.31,(0.52,0.90,0.61), or Frame-1,(0,0),1,(1,1,1)")
    assert box is not None
    assert (box.frame, box.x, box.y, box.depth_m) == (12, 412, 530, 2.31)
    assert (box.width_m, box.height_m, box.length_m) == (0.52, 0.9, 0.61)
    assert pixel_box("frame - 3 , ( 1.5 , 2 ) , .5 , ( 1 , 2 , 3 )") is not None
    assert pixel_box("Frame-12,(412,530),2.31") is None


def test_numbers() -> None:
    assert numbers([1, 2.5, -3], 3) == [1.0, 2.5, -3.0]
    assert numbers([True, 1], 2) is None
    assert numbers([True, 1], 2, bools=True) == [1.0, 1.0]
    for bad in ([1, 2], [1, "2", 3], [1, None, 3], [1, float("nan"), 3], [1, 1e300, 3], [1, 10**400, 3], "123", None):
        assert numbers(bad, 3) is None


def test_world_boxes() -> None:
    assert world_box([1, 2, 3, 4, 5, 6]) == [1, 2, 3, 4, 5, 6]
    corners = [[x, y, z] for x in (0, 2) for y in (1, 2) for z in (-1, 3)]
    assert world_box({"bbox": corners}) == [1, 1.5, 1, 2, 1, 4]
    assert world_box([1, 2, 3]) is None
    assert world_box([[1, 2]] * 8) is None
    both = [[0.0, 0, 0, 1, 1, 1], [5.0, 0, 0, 1, 1, 1]]
    assert world_boxes(str(both)) == world_boxes(f"{both[0]} and {both[1]}") == both
    assert world_boxes(str({"boxes": [*both, "x", [1]]})) == both
    assert world_boxes("[]") == world_boxes("no") == []


@pytest.mark.parametrize(
    "piece",
    ["[", "[1,", '["', "['\"", "{'a':", "[1],", "9", "#", "#\n", "[ ", "[(", "<OBJ", "<OBJ001>", "Frame-1,(", "1.",
     "[-", "\\", '"\\', "{", "(", "[\\\"", "[[1,2],", "\u0663", "Image ", "[0,0,0,1,1,1],"],
)  # fmt: skip
def test_time_grows_with_length_only(piece: str) -> None:
    """30,000 characters; anything quadratic would take minutes."""
    text = "[" + piece * (30_000 // len(piece))
    start = time.process_time()
    for read in (values_in, world_boxes, object_ids, bare_ids, pixel_box, location_box, official_lines):
        read(text)
    with pytest.raises(ValueError):
        python_literal(text)
    assert time.process_time() - start < 3
