"""What is published: families as data, their text, and the exporter's own metrics."""
