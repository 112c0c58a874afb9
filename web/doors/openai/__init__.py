"""The door for OpenAI's clients: `/v1/images`, `/v1/models` and `/v1/videos`."""

from web.doors.openai import images, models, videos  # noqa: F401 - they add their routes
from web.doors.openai.door import openai

__all__ = ["openai"]
