"""The exception tree: every expected failure, and the exit code it ends the program with."""


class DlcliError(Exception):
    """An expected failure; its arguments are the lines of the message that the user reads."""

    exit_code = 1

    def __str__(self) -> str:
        return "\n".join(self.args)


class ConfigError(DlcliError):
    """The configuration is invalid, or contradicts what it is applied to."""

    exit_code = 2


class DatasetError(DlcliError):
    """A dataset is unavailable or corrupt."""

    exit_code = 3


class InputError(DlcliError):
    """A file the user named as input could not be used."""

    exit_code = 4


class ImageError(InputError):
    """A file is no readable picture, or holds no digit."""


class CheckpointError(InputError):
    """A model is missing, corrupt, or does not fit the task."""


class ThresholdError(DlcliError):
    """A result fell short of the threshold the user set."""

    exit_code = 5


class DivergenceError(DlcliError):
    """Training left the range of finite numbers."""


class GradientError(DlcliError):
    """Backpropagation disagrees with finite differences."""


class Terminated(BaseException):
    """The process was asked to stop by SIGTERM.

    Like ``KeyboardInterrupt`` it is no ``Exception``, so that no handler takes it for a fault
    of the file that was being read when it came.
    """

    exit_code = 143
