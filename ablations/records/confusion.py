"""Compute the error of each class, and which classes are taken for which, from a run's predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

FEW = 20  # classes whose confusion matrix a record holds; of more, `predictions.npz` has it
MOST = 1000  # classes whose names and errors a record holds


def by_class(predictions: Mapping[str, Any], names: Sequence[str] = ()) -> dict[str, Any] | None:
    """Return what the test set says of each class, in the order of the classes; None where nothing is known.

    `test_error` is in percent of the class's images, null where it has none. `test_confusion` has a row a true class
    and a column a predicted one, in images.

    Args:
        predictions: `test_label` and `test_class`, (N,), as `predictions.npz` has them.
        names: of the classes, where they are known.
    """
    import numpy as np

    if not {"test_label", "test_class"} <= predictions.keys():
        return None
    true, predicted = (np.asarray(predictions[name]).astype(np.int64) for name in ("test_label", "test_class"))
    count = len(names) or 1 + int(max(true.max(), predicted.max()))
    if count > MOST or max(true.max(), predicted.max()) >= count:
        return None
    matrix = np.bincount(true * count + predicted, minlength=count**2).reshape(count, count)
    totals, right = matrix.sum(1), matrix.diagonal()
    errors = [float(100 * (n - k) / n) if n else None for n, k in zip(totals, right, strict=True)]
    found: dict[str, Any] = {"names": list(names)} if names else {}
    return found | {"test_error": errors} | ({"test_confusion": matrix.tolist()} if count <= FEW else {})
