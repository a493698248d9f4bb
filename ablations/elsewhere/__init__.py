"""Results that were made elsewhere: a table of runs and a file of claims become a study and records."""
