"""Access to the port: TLS, users, limits."""
