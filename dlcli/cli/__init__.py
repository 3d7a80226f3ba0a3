"""One thin Click command a file: parse, call, print."""
