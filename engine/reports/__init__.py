"""Reports: what is stored, shared, exported and replayed."""
