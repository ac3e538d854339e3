"""What a configuration means, and whether Palette lets the exporter read what it asks for."""
