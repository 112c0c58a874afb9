"""Thin Celery tasks, one per stage, and the processes that keep jobs moving."""
