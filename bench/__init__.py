"""Benchmarks: what Myriad costs and gains, always beside the bare thing, in one run."""
