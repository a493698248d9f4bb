"""What an H100-class card should reach beside what the rows of `gpu.py` say, where both sides were measured."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

RATE = re.compile(r"([\d,]+) images/s")
EIGHT = re.compile(r"; 8; .*?([\d.]+)×")  # a row of benchmarks/fuse.py: setting; K; one by one; together; ratio


def bars(rows: Sequence[Sequence[str]]) -> Iterator[tuple[str, str]]:
    """(what, found) of the shallowest network, and of eight networks as one program."""

    def rate(*parts: str, of: str) -> float | None:
        """Images a second of the fastest, each part's first network being the shallowest."""
        firsts = [next((RATE.match(f) for p, w, f in rows if p == part and of in w), None) for part in parts]
        return max((float(found[1].replace(",", "")) for found in firsts if found), default=None)

    ours, usual = rate("loops", "graphs", "compiled", of="bf16, ours"), rate("conventional", of="conventional")
    if ours and usual:
        yield "ours, the fastest, over the conventional recipe (8 at least)", f"{ours / usual:.1f}×"
    for part in ("loops", "graphs", "compiled"):
        ours, bare = rate(part, of="bf16, ours"), rate(part, of="by hand")
        if ours and bare:
            yield f"{part}: a step of ours over one by hand, compiled alike (1.03 at most)", f"{bare / ours:.3f}×"
    for part, _, found in rows:
        if part == "fused" and (eight := EIGHT.search(found)):
            yield f"eight as one program over one by one, {found.partition(';')[0]} (4 at least)", f"{eight[1]}×"
