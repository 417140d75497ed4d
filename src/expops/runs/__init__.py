"""The ledger: run records, events, metrics, provenance."""
