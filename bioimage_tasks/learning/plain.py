"""An estimator that learns nothing: a count that another method made, as its prediction.

It lets untrained methods stand beside learned ones in the same folds and tables.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


class FirstColumn:
    """Predict the first column of the rows: ``FirstColumn().fit(X, y).predict(X)``."""

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters: none."""
        return {}

    def set_params(self, **params: Any) -> FirstColumn:
        """Set parameters: there are none.

        Raises
        ------
        ValueError
            One was given.
        """
        if params:
            raise ValueError(f"FirstColumn.set_params: takes no parameters; got {sorted(params)}")
        return self

    def fit(self, rows: Any, y: Any = None) -> FirstColumn:
        """Look at nothing."""
        return self

    def predict(self, rows: Any) -> npt.NDArray[np.float64]:
        """Return the first column."""
        return np.asarray(rows, dtype=np.float64)[:, 0]
