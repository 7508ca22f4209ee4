"""The errors a reader meets: one sentence that names the file or the argument, and the remedy."""


class LessonsError(ValueError):
    """A mistake in what was asked for. The message is one sentence that names the argument and what to do."""


class DataError(LessonsError):
    """A file that cannot be used as it is. The message is one sentence that names the file and what to do."""
