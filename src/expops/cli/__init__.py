"""The command line: one file a noun; it renders what others decide."""
