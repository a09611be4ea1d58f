"""What a user is told: one clear line, with the value, the rule and the remedy."""


class FreerunError(Exception):
    """Something outside the program's reach failed. The command line prints it without a traceback, exit code 1."""


class UsageError(FreerunError):
    """The request itself is wrong or refused; exit code 2."""


class InvalidSequence(FreerunError):
    """A string that a representation cannot read.

    Args:
        text: The whole string.
        position: Index of the first character that cannot be read, from 0.
        reason: What is wrong there, and what would be right.
    """

    def __init__(self, text: str, position: int, reason: str):
        self.text, self.position, self.reason = text, position, reason
        super().__init__(f"{reason} at position {position} of {excerpt(text, position)}")


class UnknownToken(InvalidSequence):
    """A well-formed token that is not in the vocabulary."""

    def __init__(self, text: str, position: int, token: str, n_vocab: int):
        self.token = token
        reason = f"token {token!r} is not in the vocabulary ({n_vocab} tokens)"
        super().__init__(text, position, reason)


def excerpt(text: str, position: int = 0, width: int = 80) -> str:
    """The neighbourhood of `position`, quoted, at most `width` characters: error lines stay lines."""
    if len(text) <= width:
        return repr(text)
    start = max(0, min(position - width // 2, len(text) - width))
    return ("..." if start else "") + repr(text[start : start + width]) + ("..." if start + width < len(text) else "")


class Interrupted(FreerunError):
    """The user, or the machine, asked to stop; everything is saved. Exit code 130."""
