"""Bundle Vega, Vega-Lite and vega-embed into one JavaScript text, once, and keep it."""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path

from ablations.records.files import write_text


def kept() -> Path:
    """The file of the bundle of the installed version, whether it is there or not."""
    import pooch

    return Path(pooch.os_cache("skipbench")) / f"vega-{metadata.version('vl-convert-python')}.js"


def javascript() -> str:
    """The bundle, which sets `window.vegaEmbed`; making it takes seconds and no network."""
    path = kept()
    if path.exists():
        return path.read_text(encoding="utf-8")
    import vl_convert

    text = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    text = re.sub("</(script)", r"<\\/\1", text, flags=re.IGNORECASE)  # would end the script element
    try:
        write_text(path, text)
    except OSError:  # where nothing can be kept, it is bundled again the next time
        return text
    return text
