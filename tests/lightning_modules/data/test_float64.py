"""Images of a network in float64 are normalised in float64, not in float32 and then widened."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from pytorch_lightning import Callback

from tests.lightning_modules.trained import train


class Seen(Callback):
    """Keeps the images of the last validation batch."""

    images: torch.Tensor

    def on_validation_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int, *_: Any) -> None:
        self.images = batch[0]


@pytest.mark.parametrize(("precision", "dtype"), [("32", torch.float32), ("64-true", torch.float64)])
def test_images_are_normalised_in_the_precision_of_the_network(precision, dtype):
    seen = Seen()
    data = train("recipe.epochs=1", f"recipe.precision={precision}", callbacks=[seen]).data
    pixels = torch.from_numpy(data.images.train_images)
    whole = pixels[data.train_indices].double()
    expected = (pixels[data.val_indices].double() - whole.mean()) / whole.std(correction=0)
    assert seen.images.dtype == dtype
    last = expected[-len(seen.images) :].permute(0, 3, 1, 2)
    torch.testing.assert_close(seen.images.double(), last, rtol=0, atol=1e-12 if dtype == torch.float64 else 1e-5)
