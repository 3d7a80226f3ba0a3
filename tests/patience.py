"""How long tests wait for what must happen, so that they end if it never does."""

PATIENCE_SECONDS = 900
"""Far longer than anything takes, also where many other programs share the machine."""
