"""A whole farm on one machine: its processes, kept running and stopped together."""
