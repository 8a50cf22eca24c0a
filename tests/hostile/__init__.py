"""Files made to do harm, each brought the whole way: over HTTP, through the host, into a worker."""
