"""List what conf/ offers: choices and studies; write a template for a new block."""
