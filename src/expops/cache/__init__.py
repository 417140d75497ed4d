"""Keys, manifests, look-up and record, discovery, and the reasons why something runs."""
