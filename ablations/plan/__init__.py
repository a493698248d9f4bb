"""What a study would train, and which records can be reused."""
