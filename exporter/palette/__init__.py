"""What the exporter knows of the Palette API: calls, wire format, limits and errors."""
