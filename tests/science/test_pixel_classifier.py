"""Pixel classifiers: what they draw, learn and say; tiles, strokes, leaks; bad input."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from bioimage_tasks.datasets.made import made_membranes
from bioimage_tasks.metrics.membranes import dice
from bioimage_tasks.segmentation.map_objects import pieces_of_map
from bioimage_tasks.segmentation.membranes import cells_between
from bioimage_tasks.segmentation.pixel_bank import Bank, by_tile, features, planes
from bioimage_tasks.segmentation.pixel_forest import fit_autocontext, fit_pixels, predict_pixels
from bioimage_tasks.segmentation.pixel_samples import classes_of, sample_pixels

BANK = Bank(scales=(1.0, 2.0), context_scales=(1.0, 3.0))
SCENES = made_membranes(4, 2, 64)
CLASSES = [classes_of(labels) for _, labels, _ in SCENES]


@pytest.fixture(scope="module")
def forest():
    drawn = [
        sample_pixels(image, classes, bank=BANK, count=400)
        for (image, _, _), classes in zip(SCENES[:3], CLASSES, strict=False)
    ]
    return fit_pixels(drawn, bank=BANK, trees=10)


def test_membranes_of_an_unseen_image_are_found(forest):
    image, labels, _ = SCENES[3]
    found = predict_pixels(forest, image)
    assert found.dtype == np.float32
    assert found.shape == (2, *image.shape)
    assert np.allclose(found.sum(0), 1, atol=1e-5)
    assert dice(found[1] > 0.5, labels) > 0.75
    assert dice(np.roll(found[1], 5) > 0.5, labels) < 0.5, "the score must see a shift"


@pytest.mark.parametrize("shape", [(70, 45), (12, 30, 25)])
def test_tiles_have_the_features_of_the_whole(shape):
    rng = np.random.default_rng(0)
    image, maps = rng.normal(size=shape), rng.random((1, *shape)).astype(np.float32)
    lines = (1.0,) if len(shape) == 2 else ()
    bank = Bank(scales=(0.7, 2.0), context_scales=(1.0,), lines=lines)
    channels = planes("test", image, bank)
    whole = features(channels, maps, bank)
    seen = np.zeros(shape, dtype=int)
    for place, part in by_tile(channels, maps, bank, pixels=256 if len(shape) == 2 else 4096):
        assert np.allclose(part, whole[(slice(None), *place)], atol=1e-4)
        seen[place] += 1
    assert (seen == 1).all()
    narrow = Bank(scales=(0.7,), context_scales=(1.0,))
    assert narrow.margin < bank.margin, "a wider filter needs a wider margin"


def test_the_map_does_not_depend_on_tiles_gain_offset_or_order(forest):
    image = SCENES[3][0]
    plain = predict_pixels(forest, image)
    assert np.array_equal(plain, predict_pixels(forest, image, tile_pixels=256))
    assert np.array_equal(plain, predict_pixels(forest, np.asfortranarray(image)))
    assert np.abs(plain - predict_pixels(forest, image * 4.0 + 1000)).mean() < 0.01
    turned = predict_pixels(forest, image[::-1])[:, ::-1]
    assert np.abs(plain - turned).mean() < 0.01
    assert np.array_equal(plain, predict_pixels(pickle.loads(pickle.dumps(forest)), image))


def test_strokes_teach_as_labels_do():
    image, labels, _ = SCENES[0]
    strokes = np.zeros(labels.shape, dtype=np.int32)
    strokes[::7] = CLASSES[0][::7]
    drawn = sample_pixels(image, strokes, bank=BANK, count=10_000, balance=False)
    assert len(drawn.classes) == np.count_nonzero(strokes)
    model = fit_pixels([drawn], bank=BANK, trees=10)
    assert dice(predict_pixels(model, SCENES[3][0])[1] > 0.5, SCENES[3][1]) > 0.7


def test_samples_are_balanced_and_those_of_the_seed():
    image, classes = SCENES[0][0], CLASSES[0]
    one, again = (sample_pixels(image, classes, bank=BANK, count=200, seed=5) for _ in range(2))
    assert np.bincount(one.classes).tolist() == [0, 100, 100]
    assert np.array_equal(one.values, again.values)
    other = sample_pixels(image, classes, bank=BANK, count=200, seed=6)
    assert not np.array_equal(one.values, other.values)


def test_each_sample_has_the_features_of_its_own_pixel():
    image, classes = SCENES[0][0], CLASSES[0]
    drawn = sample_pixels(image, classes, bank=BANK, count=50)
    whole = features(planes("test", image, BANK), None, BANK)
    columns = {tuple(column) for column in whole.reshape(len(whole), -1).T.round(4)}
    assert all(tuple(row.round(4)) in columns for row in drawn.values)
    at = {
        tuple(c): k for c, k in zip(whole.reshape(len(whole), -1).T, classes.ravel(), strict=True)
    }
    assert all(at[tuple(v)] == k for v, k in zip(drawn.values, drawn.classes, strict=True))


@pytest.mark.parametrize("kind", ["random", "extra", "boosted"])
def test_autocontext_hides_an_images_group_from_the_map_it_learns_from(kind, monkeypatch):
    from bioimage_tasks.segmentation import pixel_forest

    images, groups = [scene[0] for scene in SCENES], [scene[2] for scene in SCENES]
    asked = []
    real_fit, real_predict = pixel_forest.fit_pixels, pixel_forest.predict_pixels

    def fit(samples, **how):
        model = real_fit(samples, **how)
        asked.append((model, {float(part.values.sum()) for part in samples}))
        return model

    def predict(model, image, *rest, **how):
        (known,) = [sums for other, sums in asked if other is model]
        own = sample_pixels(image, CLASSES[[i is image for i in images].index(True)],
                            bank=BANK, count=200, seed=[i is image for i in images].index(True))  # fmt: skip
        assert float(own.values.sum()) not in known
        return real_predict(model, image, *rest, **how)

    monkeypatch.setattr(pixel_forest, "fit_pixels", fit)
    monkeypatch.setattr(pixel_forest, "predict_pixels", predict)
    model = fit_autocontext(images, CLASSES, groups, bank=BANK, count=200, kind=kind, trees=5)
    monkeypatch.undo()
    assert [len(sums) for _, sums in asked] == [2, 2, 4, 4]
    with pytest.raises(AssertionError):  # the check sees a map of a forest that knows the image
        predict(model.first, images[0])
    found = predict_pixels(model, images[0])
    assert np.allclose(found.sum(0), 1, atol=1e-5)
    assert dice(found[1] > 0.5, SCENES[0][1]) > 0.75


def test_colours_and_volumes_work():
    rng = np.random.default_rng(0)
    labels = np.zeros((10, 24, 24), dtype=np.int32)
    labels[3:7, 6:18, 6:18] = 1
    volume = labels * 50.0 + rng.normal(0, 5, labels.shape)
    bank = Bank(scales=(1.0,), spacing=(2.0, 1.0, 1.0))
    model = fit_pixels([sample_pixels(volume, classes_of(labels), bank=bank)], bank=bank, trees=5)
    assert dice(predict_pixels(model, volume)[1] > 0.5, labels) > 0.9
    colour = np.stack([volume[5], rng.normal(size=(24, 24)), -volume[5]], axis=-1)
    bank = Bank(scales=(1.0,), channels=True)
    model = fit_pixels([sample_pixels(colour, classes_of(labels[5]), bank=bank)], bank=bank)
    assert dice(predict_pixels(model, colour)[1] > 0.5, labels[5]) > 0.9
    with pytest.raises(ValueError, match="2 or 3 dimensions"):
        predict_pixels(model, colour[0, 0])
    with pytest.raises(ValueError, match="channels and dimensions of those in training"):
        predict_pixels(model, colour[..., :2])


def test_long_filters_find_thin_lines_at_any_angle():
    from bioimage_tasks.segmentation.lines import KEPT, line_bank, line_filter

    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:60, :60].astype(float)
    for angle in (0.0, 0.4, 1.1, 2.0):
        away = np.abs((columns - 30) * np.sin(angle) - (rows - 30) * np.cos(angle))
        noisy = (rng.normal(0, 1, away.shape) - 3 * (away < 1)).astype(np.float32)
        most = line_bank(noisy, (1.0,))[0][15:45, 15:45]
        line, far = ((away < 1)[15:45, 15:45], (away > 4)[15:45, 15:45])
        assert most[line].mean() > most[far].mean() + 4 * most[far].std()
        found = line_bank(noisy, (1.0, 2.0))
        assert found.shape == (2 * len(KEPT), 60, 60)
        turned = line_bank(np.ascontiguousarray(np.rot90(noisy)), (1.0, 2.0))
        assert np.allclose(turned, np.rot90(found, axes=(1, 2)), atol=1e-4)
    bumps = [float(line_filter(1.0, angle).sum()) for angle in (0.0, 0.7)]
    assert np.allclose(bumps, 0, atol=1e-5)
    with pytest.raises(ValueError, match=r"2 dimensions.*got shape \(4, 4, 4\)"):
        line_bank(np.zeros((4, 4, 4), np.float32), (1.0,))


def test_a_long_filter_answers_as_scipys_correlation():
    from scipy.ndimage import correlate

    from bioimage_tasks.segmentation.lines import ANGLES, line_bank, line_filter

    plane = np.random.default_rng(1).normal(size=(40, 45)).astype(np.float32)
    slow = [correlate(plane, line_filter(1.0, np.pi * k / ANGLES)) for k in range(ANGLES)]
    found = line_bank(plane, (1.0,))
    assert np.allclose(found[0], np.max(slow, 0), atol=1e-5)
    assert np.allclose(found[1], np.min(slow, 0), atol=1e-5)
    assert np.allclose(found[2], np.mean(slow, 0), atol=1e-5)


def test_outlines_are_a_class_of_their_own():
    labels = np.zeros((9, 9), dtype=np.int32)
    labels[2:7, 1:4], labels[2:7, 4:8] = 1, 2
    classes = classes_of(labels, "outline")
    assert classes[4, 2] == 2
    assert classes[4, 3] == classes[4, 4] == 3
    assert classes[0, 0] == 1


def test_pieces_and_cells_of_maps():
    rows, columns = np.mgrid[:60, :90]
    two = np.minimum((columns - 30) ** 2, (columns - 58) ** 2) + (rows - 30) ** 2 <= 16**2
    assert pieces_of_map(two.astype(float)).max() == 2
    assert pieces_of_map(np.zeros((9, 9))).max() == 0
    wall = np.zeros((40, 40))
    wall[:, 19:21] = 0.9
    cells = cells_between(wall)
    assert cells.max() == 2
    assert (cells > 0).all()
    assert cells_between(np.ones((5, 5))).tolist() == np.ones((5, 5)).tolist()
    for function in (pieces_of_map, cells_between):
        with pytest.raises(ValueError, match=rf"{function.__name__}: .*within 0..1; got.*2"):
            function(np.full((4, 4), 2.0))


def bad_calls():
    image, classes = SCENES[0][0], CLASSES[0]
    nan = np.full((4, 4), np.nan)
    drawn = sample_pixels(image, classes, bank=BANK, count=20)
    one = sample_pixels(image, np.ones_like(classes), bank=BANK, count=20)
    model = fit_pixels([drawn], bank=BANK, trees=2)
    return [
        (lambda: sample_pixels(nan, np.ones((4, 4), int)), "finite; got 16"),
        (lambda: sample_pixels(image[0], classes[0]), r"got shape \(64,\)"),
        (lambda: sample_pixels(image, classes[1:]), r"got \(63, 64\) and \(64, 64\)"),
        (lambda: sample_pixels(image, 0 * classes), "above 0; got only 0"),
        (lambda: sample_pixels(image, classes, count=0), "got 0"),
        (lambda: fit_pixels([]), r"needs samples.*got.*\[\]"),
        (lambda: fit_pixels([one]), r"two classes.*got \(1,\)"),
        (lambda: fit_pixels([drawn], kind="gradient"), "got 'gradient'"),
        (lambda: predict_pixels(model, image, np.zeros((1, 64, 64))), "0 earlier maps; got 1"),
        (lambda: predict_pixels(model, image, np.zeros((1, 4, 4))), r"got \(1, 4, 4\)"),
        (lambda: fit_autocontext([image], [classes], ["a"]), r"two groups.*got \['a'\]"),
        (lambda: fit_autocontext([image], [classes], []), "got 1, 1 and 0"),
        (lambda: classes_of(classes, "rim"), "got 'rim'"),
        (lambda: classes_of(classes, width=0), "got 0"),
    ]


@pytest.mark.parametrize("number", range(14))
def test_bad_input_is_refused_by_rule_and_value(number):
    call, message = bad_calls()[number]
    with pytest.raises(ValueError, match=message):
        call()
