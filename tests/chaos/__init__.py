"""A farm of real processes under seeded faults, and a checker of what became of its jobs."""
