"""The file of predictions is read as it was written, or refused in one sentence."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from ablations.identity.run import Run
from ablations.records.files import RecordError
from ablations.records.layout import PREDICTIONS
from ablations.records.predictions import read_predictions, write_predictions
from ablations.records.recorder import Recorder
from lightning_modules.training.fit import Outcome

RUN = Run(axes={"block": "plain"}, seed=0, config={"network": {}, "data": {}, "recipe": {}})
SIZES = {"params": 1, "macs": 1, "note": "", "data_digest": "d"}


def predictions(**changes: np.ndarray) -> dict[str, np.ndarray]:
    def part(name: str, count: int) -> dict[str, np.ndarray]:
        classes, shares = np.arange(count, dtype=np.uint8), np.linspace(0, 1, count, dtype=np.float32)
        kinds = {"label": classes, "class": classes, "true": shares, "confidence": shares}
        return {f"{name}_{kind}": array for kind, array in kinds.items()}

    return part("val", 3) | part("test", 5) | changes


def test_what_is_written_is_read(tmp_path: Path) -> None:
    assert read_predictions(tmp_path) is None
    write_predictions(tmp_path, predictions())
    found = read_predictions(tmp_path)
    assert found is not None
    assert found.keys() == predictions().keys()
    for name, array in predictions().items():
        assert (found[name] == array).all()
        assert found[name].dtype == array.dtype
    assert [path.name for path in tmp_path.iterdir()] == [PREDICTIONS]


def stored(arrays: dict[str, np.ndarray]) -> bytes:
    content = io.BytesIO()
    np.savez(content, **arrays)
    return content.getvalue()


WHOLE = stored(predictions())
FLIPPED = bytearray(WHOLE)
FLIPPED[WHOLE.index(b"val_true") + 200] ^= 1
BAD = {
    "empty": b"",
    "text": b"a table",
    "cut off": WHOLE[:-40],
    "a bit changed": bytes(FLIPPED),
    "one array": WHOLE[WHOLE.index(b"\x93NUMPY") :],
    "lacks a part": stored({k: v for k, v in predictions().items() if k.startswith("val")}),
    "no images": stored(predictions(val_label=np.zeros(0, np.uint8))),
    "two lengths": stored(predictions(test_true=np.zeros(4, np.float32))),
    "two axes": stored(predictions(test_class=np.zeros((5, 1), np.uint8))),
    "signed labels": stored(predictions(val_label=np.zeros(3, np.int64))),
    "whole probabilities": stored(predictions(val_true=np.zeros(3, np.uint8))),
    "improbable": stored(predictions(val_true=np.array([0, 1, 1.5], np.float32))),
    "objects": stored(predictions(val_label=np.array([None] * 3, object))),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_damaged_file_is_refused_in_one_sentence(tmp_path: Path, kind: str) -> None:
    (tmp_path / PREDICTIONS).write_bytes(BAD[kind])
    with pytest.raises(RecordError) as caught:
        read_predictions(tmp_path)
    assert str(caught.value).startswith(f"{tmp_path / PREDICTIONS}: ")
    assert "\n" not in str(caught.value)


def test_a_folder_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / PREDICTIONS).mkdir()
    with pytest.raises(RecordError, match="not a plain file"):
        read_predictions(tmp_path)


def cut(*_: object) -> None:
    raise KeyboardInterrupt


def test_they_are_there_before_the_record_and_go_when_the_run_is_trained_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder(RUN, tmp_path / RUN.folder)
    recorder.begin(**SIZES)
    done = Outcome({}, epochs=2, steps=20, seconds=4.0, diverged=False, device="cpu", predictions=predictions())
    with monkeypatch.context() as power:
        power.setattr("ablations.records.recorder.write_json", cut)
        with pytest.raises(KeyboardInterrupt):
            recorder.finish(done, batch_size=16)
    assert read_predictions(recorder.folder) is not None, "a record never lacks them"
    recorder.finish(done, batch_size=16)
    recorder.begin(**SIZES)
    assert read_predictions(recorder.folder) is None
