"""Studies while they run: progress, and a doctor for damaged files."""
