"""Myriad measured side by side with what it is built on, and with its peers."""

import os

# Read by diffusers and transformers when they are imported.
os.environ.setdefault("DIFFUSERS_DISABLE_REMOTE_CODE", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
