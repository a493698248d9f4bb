"""Train a small network in NumPy on 8×8 digits, and write a log as Keras' CSVLogger does: a line an epoch.

    python examples/judge/train.py wide --hidden 256 --seed 0 1      # writes logs/wide-0.csv and logs/wide-1.csv

It stands for any program of yours that Skipbench knows nothing of.
"""

import argparse
import csv
from pathlib import Path

import numpy as np

DIGITS = Path(__file__).parents[2] / "lightning_modules" / "data" / "digits.npz"


def main() -> None:
    """Train one network for each seed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("--seed", type=int, nargs="+", default=[0])
    parser.add_argument("--hidden", type=int, default=64)
    parser.add_argument("--dropout", type=float, default=0.0)
    parser.add_argument("--lr", type=float, default=0.2)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--images", type=int, default=300, help="of the training set")
    ask = parser.parse_args()
    Path("logs").mkdir(exist_ok=True)
    for seed in ask.seed:
        train(ask, seed)


def train(ask: argparse.Namespace, seed: int) -> None:
    """Train as asked, and write one line of the log after each epoch."""
    rng, digits = np.random.default_rng(seed), np.load(DIGITS)
    images, labels = digits["images"].reshape(-1, 64) / 16, digits["labels"]
    x, y, held_x, held_y = images[: ask.images], labels[: ask.images], images[1000:], labels[1000:]
    first, second = rng.normal(0, 0.18, (64, ask.hidden)), rng.normal(0, 0.1, (ask.hidden, 10))

    def scores(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
        chances = softmax(np.maximum(x @ first, 0) @ second)
        return float((chances.argmax(1) == y).mean()), float(-np.log(chances[np.arange(len(y)), y] + 1e-12).mean())

    with open(f"logs/{ask.name}-{seed}.csv", "w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(["epoch", "accuracy", "loss", "val_accuracy", "val_loss"])
        for epoch in range(ask.epochs):
            for batch in np.array_split(rng.permutation(len(x)), len(x) // 20):
                keep = rng.random((len(batch), ask.hidden)) >= ask.dropout
                hidden = np.maximum(x[batch] @ first, 0) * keep / (1 - ask.dropout)
                wrong = softmax(hidden @ second) - np.eye(10)[y[batch]]
                back = wrong @ second.T * (hidden > 0) / (1 - ask.dropout)
                second -= ask.lr * hidden.T @ wrong / len(batch)
                first -= ask.lr * x[batch].T @ back / len(batch)
            lines.writerow([epoch, *(f"{value:.4f}" for value in (*scores(x, y), *scores(held_x, held_y)))])


def softmax(x: np.ndarray) -> np.ndarray:
    """Probabilities of the classes."""
    powers = np.exp(x - x.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


if __name__ == "__main__":
    main()
