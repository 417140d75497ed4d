"""Identity: canonical bytes, digests, fingerprints of values and of code."""
