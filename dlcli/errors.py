"""Every expected failure, and the exit code with which it ends the program."""


class DlcliError(Exception):
    """An expected failure; its arguments are the lines of the message for the user."""

    exit_code = 1

    def __str__(self) -> str:
        return "\n".join(self.args)


class ConfigError(DlcliError):
    """Wrong usage: an invalid configuration, or one that does not fit the data or the model."""

    exit_code = 2


class DatasetError(DlcliError):
    """A dataset is unavailable or corrupt."""

    exit_code = 3


class InputError(DlcliError):
    """A file that the user named as input could not be used."""

    exit_code = 4


class ImageError(InputError):
    """A file is not a readable picture, or shows no digit."""


class CheckpointError(InputError):
    """A model is missing or corrupt, or does not fit the task."""


class ThresholdError(DlcliError):
    """A result is below the threshold that the user set."""

    exit_code = 5


class DivergenceError(DlcliError):
    """Training produced infinite or undefined numbers.

    ``setting`` is what to change first, as for ``--set``; empty if that is not known.
    """

    def __init__(self, message: str, setting: str = "") -> None:
        super().__init__(message)
        self.setting = setting


class GradientError(DlcliError):
    """Backpropagation disagrees with finite differences."""


class ClaimError(DlcliError):
    """What a lesson claims did not happen."""


class Terminated(BaseException):
    """The process received SIGTERM.

    Like ``KeyboardInterrupt`` it is not an ``Exception``, so that no ``except Exception``
    mistakes it for a problem of the file being read.
    """

    exit_code = 143
