"""The figures of a study as Vega-Lite: the page draws them, files and W&B get them as pictures."""
