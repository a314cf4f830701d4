"""Local descriptors and bags of words: against mahotas and scipy, seeds, refits in a fold."""

from __future__ import annotations

import numpy as np
import pytest

from bioimage_tasks.features.surf import Descriptors, describe
from bioimage_tasks.features.words import BagOfWords, bag_of_words, bags_of_words, fit_codebook


@pytest.fixture(scope="module")
def image(field):
    return field[0][:192, :256].astype(np.float64)


@pytest.fixture(scope="module")
def bag(image):
    return describe(image, scales=(1.0, 2.0))


def test_dense_descriptors_are_those_of_mahotas(image, bag):
    """Away from the border, which mahotas leaves out; all of the grid is there."""
    from mahotas.features import surf

    assert set(bag.scales) == {1, 2}
    assert len(bag) == 24 * 32 + 12 * 16
    away = np.minimum(bag.places, np.array(image.shape) - 1 - bag.places).min(1)
    inner = bag.some(away > 16 * bag.scales + 1)
    spots = np.ones((len(inner), 5))
    spots[:, :2], spots[:, 2] = inner.places, inner.scales
    theirs = surf.descriptors(image, spots, descriptor_only=True)
    assert np.allclose(inner.values, theirs, atol=1e-6)


@pytest.mark.parametrize("points", ["dense", "interest"])
def test_gain_and_offset_do_not_matter(image, points):
    """Exactly where no rounding comes in; else but for a few that turn."""
    one = describe(image, points=points)
    assert len(one) > 20
    exactly = 1 if points == "dense" else 0.8  # the detector interpolates scales
    for gain, offset, alike in ((4, 512, exactly), (7, 500, 0.8)):
        other = describe(image * gain + offset, points=points)
        assert np.array_equal(one.places, other.places)
        assert (np.abs(one.values - other.values).max(1) < 1e-5).mean() >= alike


def test_the_strongest_interest_points_are_the_blobs():
    rows, columns = np.mgrid[:200, :300]
    centres = [(60, 80), (60, 200), (140, 120), (130, 240)]
    image = sum(np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / 50) for y, x in centres)
    found = describe(1000 * image, points="interest", max_points=4).places
    assert sorted(map(tuple, found.round().tolist())) == sorted(centres)


def test_empty_background_can_be_left_out(image):
    image = np.pad(image, ((0, 0), (0, 256)), constant_values=20)
    kept = describe(image, min_contrast=0.3)
    assert 0 < len(kept) < len(describe(image)) / 1.5
    assert kept.places[:, 1].max() < 256 + 80
    flat = describe(np.full((64, 64), 3.0))
    assert (len(flat), len(describe(np.eye(4), points="interest"))) == (0, 0)


def test_descriptors_by_object(field):
    bag = describe(field[0], scales=(1.0,), spacing=4)
    parts = bag.by_object(field[1])
    assert len(parts) == field[1].max()
    for number in (1, 40, 125):
        rows, columns = parts[number - 1].places.astype(int).T
        assert (field[1][rows, columns] == number).all()
    with pytest.raises(ValueError, match=r"by_object: labels must have the image's shape"):
        bag.by_object(field[1][:100])


def test_a_bag_counts_the_nearest_words(bag):
    from scipy.spatial.distance import cdist

    book = fit_codebook([bag, bag.some(np.arange(0, len(bag), 2))], words=7, seed=3)
    row = bag_of_words(bag, book)
    assert book.octaves == (0, 1)
    assert len(row) == len(book.names) == 14
    for place, scale in enumerate((1, 2)):
        nearest = cdist(bag.values[bag.scales == scale], book.centres[place]).argmin(1)
        expected = np.bincount(nearest, minlength=7) / len(nearest)
        assert np.allclose(row[7 * place :][:7], expected)


def test_the_seed_decides(bag):
    same, again, other = (fit_codebook([bag], words=5, seed=seed).centres for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(same, again, strict=True))
    assert not np.allclose(same[0], other[0])


def test_order_of_descriptors_does_not_matter(bag):
    book = fit_codebook([bag], words=5)
    turned = bag.some(np.random.default_rng(0).permutation(len(bag)))
    assert np.allclose(bag_of_words(turned, book), bag_of_words(bag, book))


def test_odd_bags():
    rng = np.random.default_rng(0)
    few = [rng.normal(size=(3, 4)), np.zeros((0, 4))]
    book = fit_codebook(few, words=64)
    table = bags_of_words(few, book, ["a", "b"])
    assert table.values.tolist() == [[1 / 3] * 3, [0] * 3]
    assert table.index == ("a", "b")
    with pytest.raises(ValueError, match=r"fit_codebook: needs descriptors.*got 0 bags"):
        fit_codebook([])
    with pytest.raises(ValueError, match=r"all of one length; got 2 bags with lengths \[3, 4\]"):
        fit_codebook([np.ones((2, 3)), np.ones((2, 4))])
    with pytest.raises(ValueError, match=r"the words' length 4; got 3"):
        bag_of_words(np.ones((2, 3)), book)
    with pytest.raises(ValueError, match="all finite"):
        fit_codebook([np.full((2, 2), np.nan)])
    with pytest.raises(ValueError, match="words must lie in"):
        fit_codebook(few, words=0)


def test_words_are_fitted_inside_the_fold():
    """As a pipeline's first step: only training bags reach the codebook, and it predicts."""
    from sklearn.base import clone
    from sklearn.model_selection import cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import LinearSVC

    rng = np.random.default_rng(0)
    y = np.arange(30) % 2
    bags = [rng.normal(0, 1, (40, 6)) + 2 * kind * (rng.random((40, 1)) < 0.4) for kind in y]
    pipeline = make_pipeline(BagOfWords(words=8, seed=1), StandardScaler(), LinearSVC())
    assert (cross_val_predict(pipeline, bags, y) == y).mean() > 0.85
    seen = []

    class Watched(BagOfWords):
        def fit(self, bags, y=None):
            seen.append(len(bags))
            return super().fit(bags, y)

    cross_val_predict(make_pipeline(Watched(words=4), StandardScaler(), LinearSVC()), bags, y, cv=3)
    assert seen == [20, 20, 20]
    twin = clone(BagOfWords(words=9, root=False))
    assert twin.get_params() == {"words": 9, "per_image": 300, "seed": 0, "root": False}
    assert np.allclose(twin.fit_transform(bags).sum(1), 1)
    with pytest.raises(ValueError, match=r"takes words, .*got \['wrds'\]"):
        twin.set_params(wrds=3)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"points": "all"}, "points must be one of dense, interest; got 'all'"),
        ({"scales": ()}, r"scales \(pixels\) must lie in"),
        ({"spacing": 0}, r"spacing \(scales\) must lie in"),
        ({"max_points": 0}, "max_points must lie in"),
        ({"min_contrast": -1}, "min_contrast must lie in"),
    ],
)
def test_bad_settings_are_refused(how, message, image):
    with pytest.raises(ValueError, match=f"describe: {message}"):
        describe(image, **how)


def test_bad_images_are_refused():
    for bad in (np.zeros((3, 3, 3)), np.zeros((0, 3)), np.array([[np.inf, 1]])):
        with pytest.raises(ValueError, match=r"describe: .*got"):
            describe(bad)


def test_descriptors_can_be_results(bag):
    import pickle

    again = pickle.loads(pickle.dumps(bag))
    assert isinstance(again, Descriptors)
    assert np.array_equal(again.values, bag.values)
