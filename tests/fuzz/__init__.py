"""Payloads that went wrong in every way we could think of, and what must hold all the same."""
