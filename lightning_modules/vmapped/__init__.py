"""Several networks trained as one program with torch.func.vmap."""
