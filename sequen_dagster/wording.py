"""Numbers in sentences."""


def counted(number: int, noun: str) -> str:
    """A number with its noun, in the plural where it is not one.

    Example:
        >>> counted(1, "file"), counted(2000, "file"), counted(2, "touch")
        ('1 file', '2,000 files', '2 touches')
    """
    ending = "" if number == 1 else "es" if noun.endswith("ch") else "s"
    return f"{number:,} {noun}{ending}"
