"""What makes two runs the same run: configuration, code and seed."""
