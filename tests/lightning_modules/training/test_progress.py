"""The bar of a single run."""

from __future__ import annotations

import re
from io import StringIO

import pytest
from rich.console import Console

from lightning_modules.training import progress
from lightning_modules.training.progress import ProgressBar
from tests.lightning_modules.trained import perceptron, tiny_data, train


@pytest.mark.parametrize(
    ("length", "epochs"), [(["recipe.epochs=3"], 3), (["recipe.epochs=null", "recipe.steps=12"], 3)]
)
def test_the_bar_ends_full_with_the_last_epochs_numbers(
    length: list[str], epochs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = StringIO()
    monkeypatch.setattr(progress, "Console", lambda: Console(file=screen, force_terminal=True, width=150))
    last = train(*length, network=perceptron, data=tiny_data(), callbacks=[ProgressBar("a-run")]).curve.rows[-1]
    words = f"a-run  epoch {epochs} of {epochs}, loss {last['train_loss']:.3f}, error {last['train_error']:.1f}%"
    assert words in screen.getvalue()
    assert screen.getvalue().count("100%") >= 1


def test_without_a_terminal_there_is_no_bar(capfd: pytest.CaptureFixture[str]) -> None:
    train(network=perceptron, data=tiny_data(), callbacks=[ProgressBar("a-run")])
    assert capfd.readouterr() == ("", "")


def test_without_a_terminal_a_line_now_and_then_says_how_far_it_is(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "LINE_EVERY", 0.0)
    rows = train("recipe.epochs=3", network=perceptron, data=tiny_data(), callbacks=[ProgressBar("a-run")]).curve.rows
    out, err = capfd.readouterr()
    lines = [
        re.fullmatch(r"a-run  epoch (\d) of 3, loss (.*), error .*%, validation .*%, 0:00:\d\d left", line)
        for line in out.splitlines()
    ]
    said = [line and (int(line[1]), line[2]) for line in lines]
    assert said == [(int(row["epoch"]), f"{row['train_loss']:.3f}") for row in rows[:2]], "then the result is printed"
    assert err == ""
