"""Precision and memory options of a pool: each refused at start or seen to take effect."""
