"""Scores as text, for the terminal and for pages alike; imports nothing."""


def percent(fraction: float | None, digits: int = 2) -> str:
    """A fraction as a percentage; a dash for None.

    >>> percent(0.98765), percent(None)
    ('98.77 %', '-')
    """
    return "-" if fraction is None else f"{100 * fraction:.{digits}f} %"
