"""Read text as sequences of characters, to predict the next one."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from lightning_modules.data.download import Remote, fetch_files
from lightning_modules.data.errors import DataError
from lightning_modules.data.images import Images

SHAKESPEARE = Remote(
    "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
    "sha256:86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
)


def shakespeare(folder: Path, *, length: int = 64, url: str = SHAKESPEARE.url) -> Images:
    """Tiny Shakespeare: 1,115,394 characters, 65 of them distinct, from `folder`/tinyshakespeare or else from `url`.

    The first 90% are to train, 5% for validation and the last 5% to test, as in TensorFlow Datasets. Inputs and targets
    are tokens (N, length), the place of each character in `class_names`.   Karpathy, char-rnn, 2015.

    Raises:
        DataError: the file is absent and cannot be downloaded, or is another one.
    """
    name = "tinyshakespeare/input.txt"
    file = Path(folder) / name
    fetch_files({name: Remote(url, SHAKESPEARE.checksum)}, Path(folder), data="shakespeare")
    try:
        content = file.read_bytes()
    except OSError as error:
        raise DataError(f"data=shakespeare: {file} could not be read ({error.strerror}): correct data_dir") from error
    if f"sha256:{hashlib.sha256(content).hexdigest()}" != SHAKESPEARE.checksum:
        raise DataError(f"data=shakespeare: {file} is not the published file: delete it and run again to download it")
    return characters(content.decode(), length)


def characters(text: str, length: int) -> Images:
    """Cut a text into sequences of `length` characters, each of which begins with the last one of the one before it.

    So each character but the first is predicted once. What is left at the end of a part is left out. 90% of the
    characters are trained on, and of the rest the first half is for validation.

    Raises:
        ValueError: the text is too short, or a sequence has less than two characters or more than the smallest part.
    """
    letters, codes = np.unique(np.frombuffer(text.encode("utf-32-le"), "<u4"), return_inverse=True)
    ends = int(0.9 * len(codes)), int(0.9 * len(codes)) + (len(codes) - int(0.9 * len(codes))) // 2
    smallest = ends[1] - ends[0]
    if smallest < 2:
        raise ValueError(f"a text of {len(codes)} characters has too few for three parts: it needs 31")
    if not 2 <= length <= smallest:
        raise ValueError(f"length={length}: choose from 2 to {smallest} characters a sequence")
    train, val, test = (_sequences(part.astype(np.int64), length) for part in np.split(codes, ends))
    both = np.concatenate([train, val])
    names = tuple(map(chr, letters.tolist()))
    held = np.arange(len(train), len(both))
    return Images(both, both, test, test, class_names=names, outputs=len(names), validation=held)


def _sequences(codes: np.ndarray, length: int) -> np.ndarray:
    count = (len(codes) - 1) // (length - 1)
    return codes[np.arange(count)[:, None] * (length - 1) + np.arange(length)]
