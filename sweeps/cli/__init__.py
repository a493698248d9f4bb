"""The command line: words, settings, errors, help."""
