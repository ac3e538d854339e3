"""The figures of ``make bench``; nothing is asserted."""

import logging

import structlog

# Only the tables are printed, without log lines of the exporter between them.
structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
