"""Immutable bytes, addressed by their digest; one backend a file."""
