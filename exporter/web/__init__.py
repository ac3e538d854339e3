"""The exporter's HTTP face."""
