"""Wrong numbers: within the room, and no rule of thumb finds the right one among them."""

from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise
from random import Random

import numpy as np
import pytest

from handmade import box_scene
from spaceland.geometry.transforms import look_at
from spaceland.questions.ask import ask
from spaceland.questions.likely_numbers import Likely, likely_options, place_weights
from spaceland.questions.phrasing import Deck
from spaceland.questions.policy import AmbiguityPolicy

ROOM = Likely(3.5, 0.25, 0.1, 6.0)


def test_options_stay_within_the_room_and_apart() -> None:
    rng, made = Random(0), Counter[int]()
    for _ in range(400):
        value, place = rng.uniform(0.3, 6.0), rng.randrange(4)
        options = likely_options(value, place, rng, likely=ROOM)
        if options is None:
            continue
        made[place] += 1
        numbers = [float(text) for text in options]
        assert options[place] == f"{value:.1f}"
        assert numbers[0] >= 0.1 and numbers[-1] <= 6.0
        assert all(b - a >= 0.2 - 1e-9 and b / a > 1.04 for a, b in pairwise(numbers))
    assert min(made.values()) > 50


def test_without_room_there_are_no_options() -> None:
    rng = Random(0)
    assert likely_options(5.9, 2, rng, likely=ROOM) is None
    assert likely_options(0.4, 1, rng, likely=ROOM) is not None
    assert likely_options(0.3, 3, rng, likely=ROOM) is None
    assert likely_options(5.9, 3, rng, likely=ROOM) is not None


def test_a_number_that_is_large_for_the_room_is_likelier_the_last() -> None:
    low, middle, high = (place_weights(value, ROOM) for value in (2.4, 3.4, 5.0))
    assert max(low) == low[0] and max(high) == high[3]
    assert middle[1] == pytest.approx(middle[2], rel=0.2)
    assert sum(middle) == pytest.approx(1)


def test_rules_of_thumb_are_of_no_use() -> None:
    """Right numbers as depths of sample rooms are spread: given and asked depth about 3.5 m."""
    rng = Random(1)
    deck, hits, total = Deck(4, rng), Counter[str](), 1500
    for _ in range(total):
        value, given = (min(3.5 * math.exp(rng.gauss(0, 0.25)), 5.9) for _ in range(2))

        def place_it(place: int, value: float = value) -> tuple[int, list[float]] | None:
            options = likely_options(value, place, rng, likely=ROOM)
            return None if options is None else (place, [float(text) for text in options])

        dealt = deck.deal_first(place_it, place_weights(value, ROOM))
        if dealt is None:
            continue
        place, numbers = dealt
        guesses = {
            "reference": given,
            "usual": 3.5,
            "mean": sum(numbers) / 4,
            "between": (numbers[0] + numbers[3]) / 2,
            "small": 0.0,
            "large": 9.0,
        }
        hits.update(
            rule for rule, g in guesses.items() if min(numbers, key=lambda n, g=g: abs(n - g)) == numbers[place]
        )
        hits[f"place {place}"] += 1
    assert sum(hits[f"place {k}"] for k in range(4)) > 0.97 * total
    assert max(hits.values()) / total < 0.35, hits
    assert max(hits[f"place {k}"] for k in range(4)) - min(hits[f"place {k}"] for k in range(4)) <= 2


def test_no_option_can_be_ruled_out_by_the_given_depth() -> None:
    rng, made = Random(0), 0
    for _ in range(400):
        given = rng.uniform(0.5, 6.0)
        value = next(v for v in iter(lambda: rng.uniform(0.5, 6.0), None) if abs(v - given) >= 0.2)
        likely = Likely(3.5, 0.25, 0.3, 6.0, avoid=(given, 0.2))
        options = likely_options(value, rng.randrange(4), rng, likely=likely)
        for text in options or ():
            made += 1
            assert abs(float(text) - given) >= 0.15 and abs(float(text) - float(f"{given:.1f}")) > 0.19
            assert float(text) >= 0.3
    assert made > 800


def test_right_numbers_keep_away_from_the_given_one_too() -> None:
    """What is avoided counts neither as usual below nor above: 3.3 m is the middle of what is left."""
    assert Likely(3.5, 0.25, 0.1, 90.0, avoid=(2.0, 1.5)).share_below(3.6) < 0.15
    assert Likely(3.5, 0.25, 0.1, 90.0).share_below(3.6) > 0.5


def test_nothing_is_offered_that_nobody_is_asked_about() -> None:
    """Gaps from `min_depth_gap_m` on, distances from `min_distance_m` on, whatever the policy says."""
    poses = [look_at(np.array([2.0 + 0.4 * k, 1.0, 1.5]), np.array([3.0, 5.0, 1.2])) for k in range(6)]
    things = [
        (f"thing {k}", (1.5 + 0.7 * k % 3, 3.0 + 0.6 * k, 1.0 + 0.3 * (k % 3)), (0.3, 0.3, 0.4)) for k in range(6)
    ]
    policy = AmbiguityPolicy(min_depth_gap_m=0.5, min_distance_m=0.8, max_same_objects=9)
    names = ["depth_prediction_oc", "depth_prediction_oo", "distance_prediction_oo"]
    rows = [row for row in ask(box_scene(things, poses), names, policy=policy).questions if row.options]
    assert {row.task for row in rows} == set(names)
    for row in rows:
        numbers = [float(text) for text in row.options or ()]
        if row.task == "depth_prediction_oc":
            assert min(abs(number - row.facts["values"]["given_depth_m"]) for number in numbers) >= 0.45
        else:
            assert numbers[0] >= (0.5 if row.task == "depth_prediction_oo" else 0.8)


def test_another_place_is_dealt_where_the_last_card_is_of_no_use() -> None:
    deck = Deck(4, Random(0))
    dealt = [deck.deal_first(lambda card: None if card == 3 else card) for _ in range(6)]
    # Twice three cards: the fourth of the first round stays, then both are stuck.
    assert sorted(card for card in dealt if card is not None) == [0, 0, 1, 1, 2, 2]
    assert deck.deal_first(lambda card: None if card == 3 else card) is None
    assert [deck.deal() for _ in range(2)] == [3, 3]


def test_weights_decide_which_card_is_tried_first() -> None:
    first = Counter(Deck(4, Random(k)).deal_first(lambda card: card + 1, [0.7, 0.1, 0.1, 0.1]) for k in range(300))
    assert first[1] > 180


def test_rows_say_what_is_usual_and_hold_no_larger_number() -> None:
    poses = [look_at(np.array([2.0 + 0.4 * k, 1.0, 1.5]), np.array([3.0, 5.0, 1.2])) for k in range(4)]
    things = [
        ("chair", (2.0, 3.6, 1.0), (0.4, 0.4, 0.5)),
        ("lamp", (3.8, 4.9, 1.9), (0.4, 0.4, 0.5)),
        ("box", (3.0, 6.0, 1.0), (0.5, 0.5, 0.5)),
        ("plant", (1.2, 5.4, 1.2), (0.4, 0.4, 0.6)),
    ]
    scene = box_scene(things, poses)
    places = [pose[:3, 3] for pose in poses] + [thing.center for thing in scene.objects]
    span = max(float(np.linalg.norm(a - b)) for a in places for b in places)
    centers = np.array([thing.center for thing in scene.objects])
    largest_gap = max(float(np.ptp((centers - pose[:3, 3]) @ pose[:3, 2])) for pose in poses)
    names = ["depth_prediction_oc", "depth_prediction_oo", "distance_prediction_oc", "distance_prediction_oo"]
    rows = [row for row in ask(scene, names).questions if row.options]
    assert {row.task for row in rows} == set(names)
    for row in rows:
        most = row.facts["params"]["max_m"]
        if row.task == "depth_prediction_oo":
            assert most == pytest.approx(max(largest_gap, 1.2 * row.facts["value"]), abs=1e-4) and most < 0.7 * span
        else:
            assert most == pytest.approx(span, abs=1e-4)
        assert row.options is not None and max(float(text) for text in row.options) <= most + 0.05
        assert 0.1 <= row.facts["params"]["usual_m"][0] <= span
