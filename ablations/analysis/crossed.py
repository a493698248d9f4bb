"""Estimate an effect on errors over new seeds and new images, from what each run predicted for each image.

Every seed meets the same images, so seeds and images are crossed. With y[s, i] = μ + S_s + I_i + E_si, in points:

    var(mean) = σ²_S / n_s + σ²_I / n_i + σ²_E / (n_s n_i)

The mean squares of the analysis of variance, MS_S, MS_I and MS_E, estimate it without bias:
(MS_S + MS_I − MS_E) / (n_s n_i). Radiology calls this multi-reader multi-case analysis: Obuchowski & Rockette 1995,
Gallas 2006, Hillis 2007. An interval over seeds alone holds for the images at hand; the one here also for new images of
the same distribution. `benchmarks/crossed.py` simulates how often it holds the truth.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ablations.analysis.statistics import ALPHA, Interval

SETS = {"val": "validation set", "test": "test set"}


@dataclass(frozen=True)
class OverImages:
    """An estimate over seeds and images, in points.

    Attributes:
        interval: the 95% interval over new seeds and new images; None where nothing varies, or with one seed or image.
        share: how much of the variance between the seeds' means is due to the finite set of images: what an infinite
            set would take away (Jordan 2023, arXiv 2304.01910). None where the seeds' means do not vary.
        share_interval: its 95% interval. It is wide for few seeds: of 3 seeds it says next to nothing.
    """

    mean: float
    seeds: int
    images: int
    interval: Interval | None = None
    share: float | None = None
    share_interval: Interval | None = None

    def words(self, part: str, *, signed: bool) -> str:
        """`over new images too [-0.30, +2.10]; 71% (27% to 100%) of the scatter between seeds is the finite test set`.

        Args:
            part: `val` or `test`.
            signed: whether the numbers are differences, shown with their sign.
        """
        images = f"{self.images} images"
        if self.interval is None:
            few = [f"one {word}" for n, word in ((self.seeds, "seed"), (self.images, "image")) if n < 2]
            same = f"all {images} and {self.seeds} seeds give the same number"
            return f"no interval over new images: {' and '.join(few) or same}"
        sign = "+" if signed else ""
        said = f"over new images too [{self.interval[0]:{sign}.2f}, {self.interval[1]:{sign}.2f}]"
        if self.share is None or self.share_interval is None:
            return f"{said} ({images})"
        low, high = self.share_interval
        share = f"{self.share:.0%} ({low:.0%} to {high:.0%})"
        return f"{said}; {share} of the scatter between seeds is the finite {SETS[part]} ({images})"


def over_images(y: Any, *, single: bool = False) -> OverImages:
    """Estimate the mean of y over new seeds and new images.

    The interval is mean ± half, where half² = (t² MS_S + z² (MS_I − MS_E)) / (n_s n_i), with the quantile t of n_s − 1
    degrees of freedom for what rests on the seeds and z of n_i − 1 for what rests on the images (Banerjee 1961).
    Satterthwaite's degrees of freedom, as in Hillis 2007, hold the truth less often with 3 seeds. A component whose
    estimate is negative counts as zero: where MS_S ≤ MS_E, z² MS_E stands for t² MS_S. So the variance is never below
    that over seeds alone or that over images alone.

    Args:
        y: array (seeds, images), in points: 100 · (wrong or not), or a sum of such with signs.
        single: whether y is that of one cell. The few images that a good network gets wrong are skewed: Wilson's
            interval with the effective number of images p (1 − p) / var(mean), and the degrees of freedom that the
            kurtosis of the images leaves.

    Raises:
        ValueError: y is not a matrix, is empty, or holds what is not finite.
    """
    import numpy as np
    from scipy.special import stdtrit

    y = np.asarray(y, dtype=float)
    if y.ndim != 2 or not y.size or not np.isfinite(y).all():
        raise ValueError(f"y is a matrix of finite numbers, a row a seed and a column an image; got shape {y.shape}")
    mean, (seeds, images) = float(y.mean()), y.shape
    if min(y.shape) < 2:
        return OverImages(mean, seeds, images)
    of_seeds, of_images, rest = _mean_squares(y)
    quantile = 1 - ALPHA / 2
    t, z = stdtrit(seeds - 1, quantile), stdtrit(_images_df(y) if single else images - 1, quantile)
    between_seeds = t * t * of_seeds if of_seeds > rest else z * z * rest
    variance = (max(of_seeds, rest) + max(of_images - rest, 0.0)) / y.size
    half = math.sqrt((between_seeds + z * z * max(of_images - rest, 0.0)) / y.size)
    if single:
        interval = _wilson(mean, variance, half / math.sqrt(variance) if variance else float(z), images)
    else:
        interval = (mean - half, mean + half) if variance else None
    share, share_interval = _finite_share(of_seeds, rest, seeds, images)
    return OverImages(mean, seeds, images, interval, share, share_interval)


def _mean_squares(y: Any) -> tuple[float, float, float]:
    """MS_S, MS_I and MS_E of a matrix (seeds, images); what is below rounding is zero."""
    seeds, images = y.shape
    seed, image = y.mean(1, keepdims=True) - y.mean(), y.mean(0) - y.mean()
    residual = y - y.mean() - seed - image
    rounding = (1e-10 * abs(y).max()) ** 2
    found = (
        images * float((seed**2).sum()) / (seeds - 1),
        seeds * float((image**2).sum()) / (images - 1),
        float((residual**2).sum()) / ((seeds - 1) * (images - 1)),
    )
    of_seeds, of_images, rest = (square if square > rounding else 0.0 for square in found)
    return of_seeds, of_images, rest


def _images_df(y: Any) -> float:
    """The degrees of freedom of MS_I, 2 n m₂² / (m₄ − m₂²): twice the number of images that are wrong, if few are."""
    image = y.mean(0) - y.mean()
    second, fourth = float((image**2).mean()), float((image**4).mean())
    most = y.shape[1] - 1
    excess = fourth - second**2
    return most if excess * most <= 2 * second**2 else max(1.0, min(most, 2 * y.shape[1] * second**2 / excess))


def _wilson(mean: float, variance: float, quantile: float, images: int) -> Interval:
    """Wilson's interval of a percentage, for as many independent images as would give its variance."""
    p = mean / 100
    n = p * (1 - p) / (variance / 1e4) if variance else images
    q = quantile**2 / n
    half = math.sqrt(q * p * (1 - p) + q * q / 4)
    return max(0.0, 100 * (p + q / 2 - half) / (1 + q)), min(100.0, 100 * (p + q / 2 + half) / (1 + q))


def _finite_share(of_seeds: float, rest: float, seeds: int, images: int) -> tuple[float | None, Interval | None]:
    """MS_E / MS_S, clipped to [0, 1], and its interval by F."""
    from scipy.special import fdtri

    if not of_seeds:
        return None, None
    ratio, df = rest / of_seeds, (seeds - 1, (seeds - 1) * (images - 1))
    low, high = (min(1.0, ratio * float(fdtri(*df, tail))) for tail in (ALPHA / 2, 1 - ALPHA / 2))
    return min(1.0, ratio), (low, high)
