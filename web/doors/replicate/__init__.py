"""The door for Replicate's clients: predictions, and the models and files around them."""

from web.doors.replicate import files, models, predictions  # noqa: F401 - they add their routes
from web.doors.replicate.door import replicate

__all__ = ["replicate"]
