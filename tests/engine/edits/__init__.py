"""Random projects whose results are known without running them, random edits of them, and what each edit may re-run."""
