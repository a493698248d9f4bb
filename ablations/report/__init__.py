"""Results for people: tables, verdicts, figures; on a terminal, as Markdown, CSV or LaTeX."""
