"""Seeds per action, and the random sources they are set on."""
