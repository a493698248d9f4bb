"""The studies of conf/study by the names they have, and by those they had."""

from __future__ import annotations

from pathlib import Path

import pytest

from ablations.catalog.studies import chosen_plan, new_name, written_studies

OF_CIFAR = [
    *("activation", "blocks", "bodies", "degradation", "depth_limit", "gate_bias", "gate_lesion", "headline"),
    *("identity_growth", "initialization", "normalization", "preactivation", "shortcut_gating", "shortcuts"),
    "weight_decay_identity",
]
MOVED = {
    **{f"{name}_paper": f"cifar/{name}" for name in OF_CIFAR},
    **{f"search_{name}_cifar": f"cifar/search_{name}" for name in ("budget", "frontier", "tuned")},
    "d2l_fashion_paper": "fashion_mnist/d2l_fashion",
    "highway_depth_paper": "mnist/highway_depth",
    "imagenet34_paper": "imagenet/imagenet34",
}


def test_what_was_moved_is_in_a_folder_now() -> None:
    names = list(written_studies())
    assert set(MOVED.values()) < {name for name in names if "/" in name}
    assert not set(MOVED) & set(names)
    assert names == sorted(names, key=lambda name: ("/" in name, name)), "those in no folder come first"


@pytest.mark.parametrize("old", MOVED)
def test_an_old_name_is_answered_with_the_new_one(old: str) -> None:
    assert new_name(old) == f"study={old} is now study={MOVED[old]}"


@pytest.mark.parametrize(
    "name",
    [
        "headline",
        "cifar/headline",
        "headline_cifar",
        "search_tuned_paper",
        "mine_paper",
        "cifar",
        "_paper",
        "",
        "[a]*_paper",
    ],
)
def test_a_name_that_no_study_had_is_no_old_one(name: str) -> None:
    assert new_name(name) is None


def test_a_folder_without_runs_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"no study 'mine'; .*; nothing has been run into {tmp_path}$"):
        chosen_plan(tmp_path, "mine")
