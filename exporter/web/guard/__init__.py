"""Who may connect: TLS, users, limits."""
