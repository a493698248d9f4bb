"""What a person asks: studies, spaces to search, overrides, published numbers."""
