"""What a record says of each class."""

from __future__ import annotations

import numpy as np

from ablations.records.confusion import FEW, MOST, by_class

TRUE, PREDICTED = np.array([0, 0, 0, 1, 1, 2], np.uint8), np.array([0, 1, 0, 1, 1, 0], np.uint8)
KEPT = {"test_label": TRUE, "test_class": PREDICTED}


def test_each_class_has_its_error_and_its_row() -> None:
    found = by_class(KEPT, ("ant", "bee", "cow", "dog"))
    assert found is not None
    assert found["names"] == ["ant", "bee", "cow", "dog"]
    assert found["test_error"] == [100 / 3, 0.0, 100.0, None]
    assert found["test_confusion"] == [[2, 1, 0, 0], [0, 2, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]


def test_without_names_there_are_as_many_classes_as_were_seen() -> None:
    found = by_class(KEPT)
    assert found is not None
    assert "names" not in found
    assert len(found["test_error"]) == 3


def test_many_classes_have_no_matrix_and_very_many_nothing() -> None:
    many = {"test_label": np.arange(FEW + 1), "test_class": np.arange(FEW + 1)}
    assert by_class(many) == {"test_error": [0.0] * (FEW + 1)}
    assert by_class({"test_label": np.array([MOST]), "test_class": np.array([0])}) is None


def test_what_tells_no_classes_apart_has_none() -> None:
    assert by_class({}) is None
    assert by_class({"test_value": np.zeros(3)}) is None
