"""Hours of an exporter's life in minutes: does it grow, does it leak, does it stay true?"""
