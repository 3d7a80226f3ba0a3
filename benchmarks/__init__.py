"""How fast dlcli is, beside the frameworks: ``make bench``."""
