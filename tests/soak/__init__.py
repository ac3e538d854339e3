"""Hours of changes and faults in minutes: growth, leaks and correct series."""
