"""Numbers of things in messages: `1 worker`, `2 workers`."""


def counted(number: int, noun: str) -> str:
    """The number with its noun, which gets an s unless there is one."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
