"""The graphs of published analyses as jugfiles: their shapes, with trivial work in each task.

In: a part of the full size. Out: the text of a jugfile, as in ``graphs``. The shapes were
counted in the authors' jugfiles: Coelho et al. 2009 (nuclear segmentation, ISBI), 2013
(doi:10.1093/bioinformatics/btt392) and 2015 (doi:10.1093/bioinformatics/btv156).
"""

from __future__ import annotations

from graphs import HEAD


def nets(scale: float = 1.0) -> str:
    """Return the graph of 2015: 190,000 edges, fan-ins of 88 and 528.

    88 images in 30 samples and 6 feature sets; leaving out each sample and each image, a fit
    over all 88 features of a set, and a combined fit over the 528 of all sets; each fit's two
    parts are taken by an evaluation. About 2,000 tasks, 1,900 tasklets.
    """
    images, samples = max(4, round(88 * scale)), max(2, round(30 * scale))
    return f"""{HEAD}
@TaskGenerator
def read(image, channel):
    return image

@TaskGenerator
def fraction(rois):
    return rois / 100

@TaskGenerator
def features(kind, image, dna):
    return image + kind

@TaskGenerator
def fit(features, fractions, left_out):
    return left_out, len(features)

@TaskGenerator
def evaluate(parts, counts):
    return sum(parts) + sum(counts)

images = range({images})
pixels = [[read(i, channel) for channel in range(3)] for i in images]
fractions = [fraction(p[2]) for p in pixels]
sets = [[features(kind, p[0], p[1]) for p in pixels] for kind in range(6)]
folds = [("sample", s) for s in range({samples})] + [("image", i) for i in images]
for combined in (False, True):
    inputs = [sum(sets, [])] * 2 if combined else sets
    for number, values in enumerate(inputs):
        fits = [fit(values, fractions[:1], (combined, number, fold)) for fold in folds]
        evaluate([len(fold) for fold in folds], [f[1] for f in fits])
        evaluate([f[1] for f in fits[:{samples}]], [number])
"""


def unseen(scale: float = 1.0) -> str:
    """Return the graph of 2013: 120,000 tasks, 22 of them with fan-ins of 353 to 706.

    11 data sets in 2 variants; for each of 353 numbers of clusters (one data set is swept
    twice): centroids, projection, 10 folds, their mean and an information criterion.
    """
    points = max(3, round(353 * scale))
    return f"""{HEAD}
@TaskGenerator
def centroids(data, k, run):
    return k

@TaskGenerator
def project(data, c):
    return c + data

@TaskGenerator
def fold(projected, i):
    return projected * i

@TaskGenerator
def mean(folds):
    return sum(folds) / len(folds)

@TaskGenerator
def criterion(c, projected):
    return c - projected

@TaskGenerator
def profile(name, accuracies, criteria):
    return max(accuracies)

for data in range(22):
    accuracies, criteria = [], []
    for run in range(2 if data < 2 else 1):
        for k in range({points}):
            c = centroids(data, k, run)
            p = project(data, c)
            accuracies.append(mean([fold(p, i) for i in range(10)]))
            criteria.append(criterion(c, p))
    profile(data, accuracies, [])
"""


NUCLEI_TASKS = """
import numpy as np

SHAPE = (1036, 1344)

@TaskGenerator
def load(image):
    labels = np.zeros(SHAPE, np.uint16)
    labels[image::100] = image + 1
    return labels

@TaskGenerator
def segment(image, method):
    return np.full(SHAPE, image + method, np.uint16)

@TaskGenerator
def train(which):
    return which

@TaskGenerator
def select(labels, model):
    return labels

@TaskGenerator
def basics(labels, reference):
    return int(labels[0, 0]) + int(reference[0, 0])

@TaskGenerator
def distances(labels, reference):
    return int(labels[-1, -1]) + int(reference[-1, -1])

@TaskGenerator
def pairs(labels, reference):
    return int(labels[5, 5]), int(reference[5, 5])

@TaskGenerator
def rand(pair):
    return sum(pair)

@TaskGenerator
def jaccard(pair):
    return max(pair)

@TaskGenerator
def summary(method, results):
    return len(results)
"""


def nuclei(scale: float = 1.0) -> str:
    """Return the graph of 2009: 4,900 tasks around arrays of 1.4 million pixels.

    97 images, 7 methods; each result is filtered or not and read by three comparisons, each
    hand-drawn reference by all of them. Labels are 16-bit: 2.8 MB an array.
    """
    images = max(2, round(97 * scale))
    return f"""{HEAD}{NUCLEI_TASKS}
images = range({images})
references = [load(i) for i in images]
models = [train(0), train(1)]
for method in range(8):
    results = []
    for i, reference in enumerate(references):
        labels = segment(i, method)
        if method in (5, 6):
            labels = select(labels, models[method - 5])
        pair = pairs(labels, reference)
        row = [basics(labels, reference), distances(labels, reference), pair]
        results += [*row, rand(pair), jaccard(pair)]
    summary(method, results)
"""
