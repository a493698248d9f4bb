"""Data sets as uint8 arrays in memory, augmented a whole batch at a time."""
