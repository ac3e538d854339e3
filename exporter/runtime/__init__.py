"""Builds everything from settings, runs it, reloads it and stops it."""
