"""Where callables run; no knowledge of caches or pipelines."""
