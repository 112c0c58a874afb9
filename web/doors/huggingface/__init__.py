"""The door for Hugging Face's inference clients."""

from web.doors.huggingface.routes import huggingface

__all__ = ["huggingface"]
