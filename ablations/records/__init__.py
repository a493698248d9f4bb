"""What a run leaves behind, and who may write it: records, leases, atomic files."""
