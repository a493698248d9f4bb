"""What README.md and docs/ say: the files they have one write, the commands, and what is shown of their output."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
PAGES = ["README.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))]
TEXTS = {page: (ROOT / page).read_text() for page in PAGES}
WRITTEN = re.compile(r"`([\w/]+\.(?:py|yaml))`[^\n]*:\n\n```(?:python|yaml)\n(.*?)```", re.DOTALL)
FILES = {page: dict(WRITTEN.findall(text)) for page, text in TEXTS.items()}
TYPED = re.compile(r"```bash\n(.*?)```\n(?:\n```text\n(.*?)```\n)?", re.DOTALL)
ELSEWHERE = ("submitit_slurm", "trainer=gpu", "trainer=ddp", "postgresql", "user@", "optuna-dashboard")
NUMBER = re.compile(r"[-+]?\d+\\\.\d+")  # as re.escape leaves it


class Command(NamedTuple):
    """A line of a page's shell blocks.

    Attributes:
        shows: what the page shows of its output, `…` for what is left out.
    """

    page: str
    text: str
    shows: str = ""

    @property
    def refused(self) -> bool:
        """Whether the page shows how it is refused."""
        return self.shows.startswith("error:")

    @property
    def here(self) -> bool:
        """Whether a machine with two cores and nothing else can carry it out."""
        return self.refused or not any(word in self.text for word in ELSEWHERE)


def commands() -> list[Command]:
    """All of them, in order. What follows a shell block is the output of its last line."""
    found = []
    for page, text in TEXTS.items():
        for block, shows in TYPED.findall(text):
            *before, last = [re.sub(r"\s+#.*", "", line) for line in block.splitlines()]
            found += [*(Command(page, line) for line in before), Command(page, last, shows)]
    return found


def is_shown(excerpt: str, output: str) -> bool:
    """Whether an excerpt is of an output, however lines are broken, and whatever the decimal numbers are."""
    words = [re.escape(word).replace("…", ".*?") for word in excerpt.split()]
    pattern = r"\s+".join(NUMBER.sub(r"[-+]?\\d+\\.\\d+", word) for word in words).replace(r"\s+.*?\s+", r"\s.*?\s")
    return re.search(pattern, output, re.DOTALL) is not None
