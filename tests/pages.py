"""Read the pages README.md and docs/*.md: the files they show, their commands, and the output shown below a command."""

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
    """One line of a shell block of a page.

    Attributes:
        shows: the output below it, with `…` for what is left out.
    """

    page: str
    text: str
    shows: str = ""

    @property
    def refused(self) -> bool:
        """Whether the page shows it with an error."""
        return self.shows.startswith("error:")

    @property
    def here(self) -> bool:
        """Whether it needs no GPU, cluster or server."""
        return self.refused or not any(word in self.text for word in ELSEWHERE)

    @property
    def daily(self) -> bool:
        """Whether it runs every time: the commands of README.md, except the few that take longest."""
        return self.page == "README.md" and not any(word in self.text for word in ("data=cifar10", "search_budget"))


def commands() -> list[Command]:
    """The commands of all pages in order. A text block after a shell block is the output of its last line."""
    found = []
    for page, text in TEXTS.items():
        for block, shows in TYPED.findall(text):
            *before, last = [re.sub(r"\s+#.*", "", line) for line in block.splitlines()]
            found += [*(Command(page, line) for line in before), Command(page, last, shows)]
    return found


def is_shown(excerpt: str, output: str) -> bool:
    """Whether an output contains the excerpt; line breaks and decimal numbers may differ."""
    words = [re.escape(word).replace("…", ".*?") for word in excerpt.split()]
    pattern = r"\s+".join(NUMBER.sub(r"[-+]?\\d+\\.\\d+", word) for word in words).replace(r"\s+.*?\s+", r"\s.*?\s")
    return re.search(pattern, output, re.DOTALL) is not None
