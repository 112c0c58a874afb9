"""pools.toml files that ship with Myriad."""
