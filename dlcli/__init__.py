"""dlcli trains, evaluates and uses neural networks on MNIST digits, in NumPy.

The modules, in reading order; data flows from the first to the last:

- ``config``           every hyperparameter: its range, default and meaning
- ``config_checks``    what is wrong with a config, all at once
- ``config_files``     config files in layers; ``yaml_source`` and ``schema_words`` serve it
- ``datasets``         MNIST and its kin: cache, verification, splits
- ``idx``              the file format of MNIST
- ``download``         one verified file from the first mirror that delivers it
- ``augmentation``     distorted copies of images
- ``activations``      what a neuron does with its weighted sum
- ``losses``           the cost J
- ``initializers``     random initial weights
- ``normalization``    batch normalisation
- ``network``          layers of weighted sums plus bias: the forward pass
- ``backpropagation``  the slope of the cost along every parameter, by the chain rule
- ``optimizers``       a gradient becomes a step downhill; ``compiled`` does it with Numba
- ``schedules``        how long that step is
- ``averaging``        a running mean of the weights
- ``calibration``      how sure the network may be
- ``divergence``       where training left the finite numbers, and what to do about it
- ``running_scores``   loss and accuracy of an epoch while it goes on
- ``training``         gradient descent repeated until the slope is flat
- ``gradcheck``        backpropagation against finite differences
- ``metrics``          scores
- ``checkpoints``      a model in a file; ``npz`` reads its arrays
- ``run_directories``  the folder of a training run: its name, its lock, the link ``latest``
- ``runs``             what is in it
- ``evaluation``       a model judged on images it has not seen
- ``pictures``         picture files to colours
- ``ink``              colours to ink
- ``pieces``           ink to the strokes of one digit
- ``likeness``         whether that looks like a digit at all
- ``placement``        scaled and centred as MNIST's digits are
- ``views``            all of that on a picture, in several ways, and which is likeliest
- ``images``           any picture of a digit to the 28x28 that MNIST would have held
- ``panel``            that way from the one to the other, as a picture
- ``prediction``       pictures to digits
- ``classifier``       dlcli as a library: ``load_model`` and what it returns
- ``commands``, ``cli``  the command line

``errors`` holds every expected failure with its exit code, ``files`` writes files whole or
not at all, ``memory`` places long vectors, ``randomness`` divides the seed, and ``extras`` is
where optional features go: ``extras.sweep`` searches hyperparameters.
"""

from typing import TYPE_CHECKING, Any

__all__ = ["Classifier", "Layer", "__version__", "load_model"]

__version__ = "0.1.0"

if TYPE_CHECKING:
    from dlcli.inference.classifier import Classifier, Layer, load_model
else:

    def __getattr__(name: str) -> Any:
        """The public interface, imported when it is asked for: ``dlcli --help`` needs no NumPy."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from dlcli.inference import classifier

        return getattr(classifier, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
