"""Interfaces that others defined, each translated into jobs of ours."""

from web.doors.door import Door

DOORS: tuple[Door, ...] = ()
"""Every door the front end opens, in no order: their addresses do not overlap."""
