"""Optional features, each in a module of its own, imported only when asked for."""
