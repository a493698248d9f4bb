"""Read what a study asks: its grid, its search space, its published numbers."""
