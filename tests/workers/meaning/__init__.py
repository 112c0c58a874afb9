"""What the bundled models draw for requests that run together."""
