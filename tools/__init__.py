"""Programs that make what ships and what is published; each is a make target."""
