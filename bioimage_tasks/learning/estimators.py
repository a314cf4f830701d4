"""What learns, by name: a recipe of steps that becomes a fresh scikit-learn estimator.

Names or dotted paths with parameters come in, an *unfitted* estimator goes out. A recipe is
plain data, so a task that takes one is identified by it and its jugfile needs no
scikit-learn. All steps of a recipe are fitted together, on the training part of a fold:
scaling, selection and code books that stand before the learner see nothing else.

Must not know folds or groups.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

#: Short names and where they live. Any other class goes by its dotted path.
NAMES: Mapping[str, str] = {
    "bag-of-words": "bioimage_tasks.features.words.BagOfWords",
    "boosted-classifier": "sklearn.ensemble.HistGradientBoostingClassifier",
    "boosted-regressor": "sklearn.ensemble.HistGradientBoostingRegressor",
    "count": "bioimage_tasks.learning.plain.FirstColumn",
    "extra-trees-classifier": "sklearn.ensemble.ExtraTreesClassifier",
    "extra-trees-regressor": "sklearn.ensemble.ExtraTreesRegressor",
    "forest-classifier": "sklearn.ensemble.RandomForestClassifier",
    "forest-regressor": "sklearn.ensemble.RandomForestRegressor",
    "impute": "sklearn.impute.SimpleImputer",
    "k-best": "sklearn.feature_selection.SelectKBest",
    "linear": "sklearn.linear_model.LinearRegression",
    "linear-svm": "sklearn.svm.LinearSVC",
    "logistic": "sklearn.linear_model.LogisticRegression",
    "mean": "sklearn.dummy.DummyRegressor",
    "most-frequent": "sklearn.dummy.DummyClassifier",
    "nearest-classifier": "sklearn.neighbors.KNeighborsClassifier",
    "nearest-regressor": "sklearn.neighbors.KNeighborsRegressor",
    "pca": "sklearn.decomposition.PCA",
    "ridge": "sklearn.linear_model.Ridge",
    "scale": "sklearn.preprocessing.StandardScaler",
    "svm-classifier": "sklearn.svm.SVC",
    "svm-regressor": "sklearn.svm.SVR",
    "varied": "sklearn.feature_selection.VarianceThreshold",
}


@dataclass(frozen=True)
class Step:
    """One class and its parameters.

    Attributes
    ----------
    name : str
        One of :data:`NAMES` or a dotted path, ``"sklearn.svm.SVC"``.
    params : tuple of (str, value)
        Sorted by name.
    """

    name: str
    params: tuple[tuple[str, Any], ...] = ()

    def __str__(self) -> str:
        given = ", ".join(f"{name}={value}" for name, value in self.params)
        return f"{self.name}({given})" if given else self.name


@dataclass(frozen=True)
class Recipe:
    """Steps one after the other; the last one predicts: ``recipe("scale") | recipe("ridge")``."""

    steps: tuple[Step, ...]

    def __or__(self, after: Recipe) -> Recipe:
        return Recipe(self.steps + after.steps)

    def __str__(self) -> str:
        return " | ".join(map(str, self.steps))


def recipe(name: str, **params: Any) -> Recipe:
    """Return a recipe of one step: ``recipe("forest-regressor", n_estimators=200)``.

    Steps are joined by ``|``: ``recipe("scale") | recipe("svm-classifier", C=10.0)``.

    Parameters
    ----------
    name : str
        One of :data:`NAMES` or a dotted path.
    **params
        Of the class.

    Raises
    ------
    ValueError
        The name is neither.
    """
    if name not in NAMES and "." not in name:
        raise ValueError(
            f"recipe: name must be a dotted path or one of {', '.join(NAMES)}; got {name!r}"
        )
    return Recipe((Step(name, tuple(sorted(params.items()))),))


def build(what: Any, seed: int = 0) -> Any:
    """Make a fresh estimator: ``build(recipe("ridge", alpha=2.0))``.

    Parameters
    ----------
    what : str, Recipe or scikit-learn estimator
        An estimator is cloned: what it was fitted on before is forgotten.
    seed : int
        Given as ``random_state`` to every step that takes one and was not given it.

    Returns
    -------
    estimator
        Unfitted; a pipeline where there are several steps. One core: tasks are what runs
        side by side.

    Raises
    ------
    ValueError
        No such class, or it does not take a parameter.
    """
    if isinstance(what, str):
        what = recipe(what)
    if not isinstance(what, Recipe):
        return _clone(what, seed)
    made = [_make(step, seed) for step in what.steps]
    if len(made) == 1:
        return made[0]
    from sklearn.pipeline import make_pipeline

    return make_pipeline(*made)


def _clone(estimator: Any, seed: int) -> Any:
    from sklearn.base import clone

    if not hasattr(estimator, "fit") or not hasattr(estimator, "get_params"):
        raise ValueError(
            f"build: takes a name, a recipe or a scikit-learn estimator; got {estimator!r}"
        )
    fresh = clone(estimator)
    unset = [
        name
        for name, value in fresh.get_params().items()
        if name.rpartition("__")[2] == "random_state" and value is None
    ]
    return fresh.set_params(**dict.fromkeys(unset, seed))


def _make(step: Step, seed: int) -> Any:
    path = NAMES.get(step.name, step.name)
    module, _, attribute = path.rpartition(".")
    try:
        kind = getattr(import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(
            f"build: a step must be the dotted path of a class that can be imported; "
            f"got {step.name!r} ({error})"
        ) from error
    params = dict(step.params)
    try:
        estimator = kind(**params)
    except TypeError as error:
        raise ValueError(f"build: {step.name!r} does not take these parameters; {error}") from error
    known = estimator.get_params() if hasattr(estimator, "get_params") else {}
    for name in ("random_state", "seed"):
        if name in known and name not in params:
            estimator.set_params(**{name: seed})
            break
    return estimator
