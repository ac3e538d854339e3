"""The demo's Palette for tests: it records requests, and it fails on request.

`server` has the server, `faults` the ways to fail, and `faultbook` the calls that fail. `accounts`
has users and their tokens, `limits` Palette's rate limits, and `world` a fleet that tests change.
"""
