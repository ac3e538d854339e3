"""Payloads that are damaged in many ways, and the properties that still have to hold."""
