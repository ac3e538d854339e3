"""What is read of Palette, when, and what is kept of it."""
