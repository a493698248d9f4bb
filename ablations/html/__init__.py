"""A study as one HTML file that needs no network: figures with hover and zoom, filters, light and dark."""
