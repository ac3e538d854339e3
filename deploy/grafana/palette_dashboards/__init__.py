"""The Grafana dashboards of palette-snapshot-exporter, as code."""
