"""Of several words for one axis the last one holds."""

import pytest

from sweeps.compose.arguments import parse


@pytest.mark.parametrize(
    ("words", "chosen", "swept"),
    [
        ("depth=20 depth=8,14", {}, {"depth": [8, 14]}),
        ("depth=8,14 depth=20", {"depth": 20}, {}),
        ("+block.start=1 block.start=2,3", {}, {"block.start": [2, 3]}),
    ],
)
def test_the_last_word_for_an_axis_holds(words: str, chosen: dict, swept: dict) -> None:
    parts = parse(words.split(), None)
    assert (parts.chosen, parts.swept) == (chosen, swept)
