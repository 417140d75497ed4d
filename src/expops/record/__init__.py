"""Run records: one document for a run, what it is exported as, and runs made again from it."""
