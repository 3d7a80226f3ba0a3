"""Scores as text, for the terminal and for pages alike; imports nothing."""


def percent(fraction: float | None, digits: int = 2) -> str:
    """A fraction as a percentage; a dash for None.

    >>> percent(0.98765), percent(None)
    ('98.77 %', '-')
    """
    return "-" if fraction is None else f"{100 * fraction:.{digits}f} %"


def short(value: object) -> str:
    """A setting or score, to four digits if it is a float."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
