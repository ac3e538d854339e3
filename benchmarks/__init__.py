"""What ``make bench`` runs: figures, never assertions."""

import logging

import structlog

# The tables are what is to be seen; the exporter's log lines would stand between them.
structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
