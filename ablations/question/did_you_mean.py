"""Suggest what to write instead of an unknown word: the nearest name, and some of those that there are."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from ablations.question.wording import and_more

MOST = 10  # names in one sentence


def nearest(word: str, options: Iterable[str], *, cutoff: float = 0.5) -> str:
    """Return `; did you mean x?`, or nothing where no option is like the word.

    Args:
        cutoff: from 0 to 1, how alike they must be; 0 where nothing else says what there is.
    """
    close = get_close_matches(word, list(options), n=1, cutoff=cutoff)
    return f"; did you mean {close[0]}?" if close else ""


def instead(word: str, options: Iterable[str], allowed: str) -> str:
    """Return `; did you mean x? choose from a, b, c and 9 more`.

    Args:
        allowed: what comes before the names: `choose from`.
    """
    names = list(options)
    return f"{nearest(word, names) or ';'} {allowed} {and_more(names, MOST) or 'none'}"
