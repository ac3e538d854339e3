"""The alert and recording rules, as tables from which every rule file is generated."""
