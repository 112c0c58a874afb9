"""Myriad's shared core: rules, records and the doors to SQL, Redis and object storage."""

__version__ = "0.1.0"
