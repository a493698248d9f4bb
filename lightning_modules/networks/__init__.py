"""Networks in pure torch: three blocks, what they are built from, and the families that stack them."""
