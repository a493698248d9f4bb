"""A study as one self-contained HTML page: no network, hover, zoom, filters by axis, light and dark."""
