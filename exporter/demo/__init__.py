"""A simulated Palette: a living fleet and the HTTP API in front of it.

It shares no code with the rest of the exporter, so that one misreading of the API cannot hide
on both sides at once.
"""
