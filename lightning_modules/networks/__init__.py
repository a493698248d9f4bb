"""Networks in pure torch: blocks, what they are built from, and the families that stack them."""
