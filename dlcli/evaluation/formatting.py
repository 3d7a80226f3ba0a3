"""Scores as text, for the terminal and for pages alike; imports nothing."""


def percent(fraction: float | None, digits: int = 2) -> str:
    """A fraction as a percentage; a dash for None.

    >>> percent(0.98765), percent(None)
    ('98.77 %', '-')
    """
    return "-" if fraction is None else f"{100 * fraction:.{digits}f} %"


def loss(value: float | None) -> str:
    """A loss to four decimals, and a huge one in powers of ten; a dash for None.

    >>> loss(0.30161), loss(4.1328e15), loss(None)
    ('0.3016', '4.133e+15', '-')
    """
    if value is None:
        return "-"
    return f"{value:.4f}" if abs(value) < 10_000 else f"{value:.3e}"


def duration(seconds: float | None) -> str:
    """A time in seconds, minutes or hours; a dash for None."""
    if seconds is None:
        return "-"
    if seconds < 100:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


def counted(count: int, thing: str) -> str:
    """So many things, in the plural but for one.

    >>> counted(1, "trial"), counted(2000, "trial")
    ('1 trial', '2,000 trials')
    """
    return f"{count:,} {thing}" if count == 1 else f"{count:,} {thing}s"


def short(value: object) -> str:
    """A setting or score, to four digits if it is a float."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
