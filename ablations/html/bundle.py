"""Vega, Vega-Lite and vega-embed as one JavaScript text: bundled once (seconds), then kept."""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path

from ablations.records.files import write_text


def kept() -> Path:
    """Where the bundle of the installed version lies, or will."""
    import pooch

    return Path(pooch.os_cache("skipbench")) / f"vega-{metadata.version('vl-convert-python')}.js"


def javascript() -> str:
    """The bundle; it sets `vegaEmbed`, and asks nothing of the network."""
    path = kept()
    if path.exists():
        return path.read_text(encoding="utf-8")
    import vl_convert

    text = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    text = re.sub("</(script)", r"<\\/\1", text, flags=re.IGNORECASE)  # would end the element it stands in
    try:
        write_text(path, text)
    except OSError:  # a home that cannot be written to: bundle again the next time
        return text
    return text
