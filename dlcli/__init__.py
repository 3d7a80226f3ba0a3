"""dlcli trains, evaluates and uses neural networks on MNIST digits, in NumPy.

The packages, in reading order. Each ``__init__`` lists its modules.

- ``errors``       expected failures and their exit codes
- ``files``        atomic writes, locks, refusals to overwrite
- ``nn``           the network and its mathematics, on arrays alone
- ``vision``       any picture of a digit to the 28x28 image of an MNIST digit
- ``data``         datasets: download, cache, pictures, classes, splits, augmentation
- ``config``       every hyperparameter: its range, default and meaning
- ``training``     gradient descent over epochs; touches no disk and prints nothing
- ``runs``         run directories and checkpoints: write, find, lock, resume
- ``evaluation``   a model and a dataset to scores
- ``inference``    a model and pictures to digits; ``load_model`` for Python programs
- ``lessons``      ideas of deep learning as experiments to run and to change
- ``report``       a run as one page, and charts (extra ``report``)
- ``sweep``        hyperparameter search (extra ``sweep``)
- ``export``       models for other runtimes (extra ``export``)
- ``tensorboard``  event files for TensorBoard (extra ``tensorboard``)
- ``cli``          one Click command a file: parse, call, print

A config and a dataset go into ``training``, which drives ``nn``. ``runs`` writes what comes out
to disk; ``evaluation``, ``inference``, ``report`` and ``export`` read it from there. A package
imports only packages above it in this list; the layers in ``pyproject.toml`` check that.
"""

from typing import TYPE_CHECKING, Any

__all__ = [
    "Classifier",
    "Layer",
    "Number",
    "PicturePrediction",
    "ReadDigit",
    "__version__",
    "load_model",
]

__version__ = "0.1.0"

if TYPE_CHECKING:
    from dlcli.inference.classifier import (
        Classifier,
        Layer,
        Number,
        PicturePrediction,
        ReadDigit,
        load_model,
    )
else:

    def __getattr__(name: str) -> Any:
        """Import the public interface on first use: ``dlcli --help`` needs no NumPy."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from dlcli.inference import classifier

        return getattr(classifier, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
