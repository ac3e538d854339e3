"""A simulated Palette: a fleet that changes with time, and the HTTP API in front of it.

It shares no code with the rest of the exporter, so that one misreading of the API cannot be on
both sides.
"""
