"""Interfaces that others defined, each translated into jobs of ours."""

from web.doors.automatic1111 import automatic1111
from web.doors.comfyui import comfyui
from web.doors.door import Door
from web.doors.huggingface import huggingface
from web.doors.openai import openai
from web.doors.replicate import replicate

DOORS: tuple[Door, ...] = (openai, automatic1111, comfyui, replicate, huggingface)
"""Every door the front end opens, in no order: their addresses do not overlap."""
