"""Small mutable records by name; one backend a file."""
