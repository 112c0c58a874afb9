"""The SQL side of every job."""
