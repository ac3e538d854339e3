"""What the settings mean, and what one round of reading finds: pure, from values to text."""
