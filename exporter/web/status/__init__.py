"""The status page: what the published states amount to, for people and for their scripts."""
