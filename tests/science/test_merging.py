"""The learned rule of splitting and merging: what it joins, drops, refuses, and keeps."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from bioimage_tasks.metrics import score
from bioimage_tasks.segmentation import merging


def scene(seed, junk=4):
    """Return pieces, image and gold: ellipses, each cut in three, and dim specks of junk."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:120, :160]
    gold, pieces = np.zeros((120, 160), np.int32), np.zeros((120, 160), np.int32)
    image = rng.normal(10, 2, gold.shape)
    for number in range(1, 13):
        row, column = divmod(number - 1, 4)
        y, x = rows - 20 - 40 * row, columns - 20 - 40 * column
        tall, wide = rng.uniform(9, 18, 2)
        inside = (y / tall) ** 2 + (x / wide) ** 2 <= 1
        gold[inside] = number
        pieces[inside] = 3 * number - 2 + (x[inside] > 3) + (x[inside] < -5)
        image[inside] += 60
    for speck in range(junk):
        pieces[0:3, 20 * speck + 2 : 20 * speck + 6] = 50 + speck
        image[0:3, 20 * speck + 2 : 20 * speck + 6] += 20
    return pieces, image, gold


@pytest.fixture(scope="module")
def rule():
    return merging.train([scene(seed) for seed in range(4)], trees=30)


def test_pieces_are_joined_and_junk_is_dropped(rule):
    pieces, image, gold = scene(9)
    assert score(pieces, gold).f1 < 0.7
    after = score(merging.apply(pieces, image, rule), gold)
    assert after.f1 > 0.95
    assert (
        merging.apply(pieces, image, rule, keep=0).max() > merging.apply(pieces, image, rule).max()
    )


def test_a_rule_of_shuffled_answers_is_worse(rule):
    """The planted fault: a rule that learned from another scene's gold standard."""
    wrong = merging.train(
        [(scene(s)[0], scene(s)[1], np.roll(scene(s)[2], 20, 1)) for s in range(4)], trees=30
    )
    pieces, image, gold = scene(9)
    assert score(merging.apply(pieces, image, wrong), gold).f1 < 0.5


def test_gain_numbering_and_flips_do_not_matter(rule):
    pieces, image, gold = scene(9)
    plain = merging.apply(pieces, image, rule)
    numbers = np.r_[0, np.random.default_rng(0).permutation(200) + 1].astype(np.int32)
    for labels, light in ((pieces, image * 4 + 100), (numbers[pieces], image)):
        assert score(merging.apply(labels, light, rule), plain).f1 > 0.95
    turned = merging.apply(pieces[:, ::-1], image[:, ::-1], rule)
    assert score(turned[:, ::-1], plain).f1 > 0.95
    assert score(plain, gold).f1 > 0.95


def test_a_rule_is_a_plain_value(rule):
    pieces, image, _ = scene(9)
    copy = pickle.loads(pickle.dumps(rule))
    assert np.array_equal(merging.apply(pieces, image, copy), merging.apply(pieces, image, rule))


def test_several_images_and_three_dimensions():
    stack = [np.repeat(part[None], 3, 0) for part in scene(1)]
    pieces, image, gold = stack
    rule = merging.train([(pieces, [image, image**2], gold)], trees=20)
    labels = merging.apply(pieces, [image, image**2], rule)
    assert score(labels, gold).f1 > 0.9
    with pytest.raises(ValueError, match=r"trained with 2 image\(s\); got 1"):
        merging.apply(pieces, image, rule)


def test_the_sums_after_joining_are_those_of_the_union():
    from bioimage_tasks.segmentation.merging_measures import object_row, pieces_of

    pieces, image, _ = scene(2, junk=0)
    joined = pieces.copy()
    joined[joined == 2] = 1
    one = pieces_of(pieces, [image])
    new = one.join(1, 2)
    other = pieces_of(joined, [image])  # number 1 is the union there
    one.typical = other.typical = 100.0
    assert np.allclose(object_row(one, new), object_row(other, 1))


def test_nothing_to_join_and_one_answer_only(rule):
    _, image, gold = scene(3)
    assert not merging.apply(np.zeros_like(gold), image, rule).any()
    easy = merging.train([(gold, image, gold)])
    assert score(merging.apply(gold, image, easy), gold).f1 == 1


def test_bad_input_is_refused(rule):
    pieces, image, gold = scene(3)
    with pytest.raises(ValueError, match="train: needs at least one example"):
        merging.train([])
    with pytest.raises(ValueError, match="train: needs at least one piece"):
        merging.train([(np.zeros_like(pieces), image, gold)])
    with pytest.raises(ValueError, match=r"apply: .*same shape"):
        merging.apply(pieces, image[1:], rule)
    with pytest.raises(ValueError, match="apply: join must lie in"):
        merging.apply(pieces, image, rule, join=2)
    with pytest.raises(ValueError, match="apply: every pixel must be finite"):
        merging.apply(pieces, np.where(image > 60, np.nan, image), rule)
    with pytest.raises(ValueError, match="train: labels must be integers"):
        merging.train([(image, image, gold)])
