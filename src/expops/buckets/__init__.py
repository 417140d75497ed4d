"""Buckets of named objects in S3, Google Cloud Storage, Azure Blob Storage or a folder, all through obstore."""
