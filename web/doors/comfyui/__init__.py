"""ComfyUI's API, as far as the stock nodes of its stock workflows go."""

from web.doors.comfyui import about, files, history, prompting, socket
from web.doors.comfyui.blueprint import comfyui

__all__ = ["about", "comfyui", "files", "history", "prompting", "socket"]
