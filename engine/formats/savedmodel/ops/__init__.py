"""The handlers, one file a family. Importing a file fills the table; the package imports all."""
