"""What a project says: decorators (they only record), configuration, graph."""
