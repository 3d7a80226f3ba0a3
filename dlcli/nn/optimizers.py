"""Optimisers: how a gradient becomes a step downhill, in place, over flat vectors.

Each optimiser keeps its memory of past gradients in ``state``, a table of named arrays that
a checkpoint stores, so that a resumed run goes on as if it had never stopped.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dlcli.nn.lazy_numpy import np
from dlcli.nn.memory import zeros

if TYPE_CHECKING:
    from collections.abc import Callable

    from dlcli.nn.kernels import AdamKernel
    from dlcli.nn.types import Array


class Optimizer(ABC):
    """Moves parameters against their gradient."""

    state: dict[str, Array]

    def gradient_scale(self, learning_rate: float) -> float:  # noqa: ARG002 - some need no rate
        """What :meth:`step` wants the gradient multiplied by.

        Backpropagation does it at no cost; here it would be one more pass over all parameters.
        """
        return 1.0

    def compile(self) -> None:  # noqa: B027 - most have nothing to compile
        """Make the steps of a long training faster, if that is possible; no bit changes."""

    @abstractmethod
    def step(self, gradient: Array, learning_rate: float) -> None:
        """Move the parameters one step.

        Parameters
        ----------
        gradient
            The gradient times :meth:`gradient_scale`, shape (parameters,); left as it was.
        learning_rate
            The same as was given to :meth:`gradient_scale`.
        """


# Parameters that one pass after the other goes over before the next ones: all of a small
# network's, and of a large one's as many as stay in the cache. For 12 million parameters a step
# of Adam took 25 ms in one piece and 15 ms in such blocks; smaller ones are slower again.
_BLOCK = 1 << 18


def _blocks(parameters: Array) -> list[slice]:
    return [slice(i, i + _BLOCK) for i in range(0, parameters.size, _BLOCK)]


# A smaller scale could make the squares of a gradient, and so its norm, vanish in float32.
_LEAST_SCALE = 1e-12


class SGD(Optimizer):
    """Gradient descent, with momentum and Nesterov's look-ahead if wanted.

    v <- momentum v + g;  p <- p - rate v,  or with Nesterov  p <- p - rate (g + momentum v).
    Source: Sutskever et al., "On the importance of initialization and momentum", 2013, in the
    form that keeps the learning rate out of v.

    What is stored is ``velocity`` = rate v, to be subtracted as it is: three passes over the
    parameters with momentum, and one without.

    >>> p = np.array([4.0]); optimizer = SGD(p, momentum=0.0)
    >>> for _ in range(50): optimizer.step(2 * p * optimizer.gradient_scale(0.1), 0.1)
    >>> bool(abs(p[0]) < 1e-3)
    True
    """

    def __init__(self, parameters: Array, *, momentum: float, nesterov: bool = False) -> None:
        self.parameters = parameters
        self.momentum = momentum
        self.nesterov = nesterov
        self.state = {}
        self._blocks = _blocks(parameters)
        if momentum:
            velocity = zeros(parameters.size, parameters.dtype)
            self.state = {"velocity": velocity, "learning_rate": np.zeros(1)}
        if nesterov:
            self._scratch = zeros(min(parameters.size, _BLOCK), parameters.dtype)

    def gradient_scale(self, learning_rate: float) -> float:
        """The learning rate, unless it is so small that :meth:`step` has to apply it itself."""
        return learning_rate if learning_rate >= _LEAST_SCALE else 1.0

    def step(self, gradient: Array, learning_rate: float) -> None:
        """Move the parameters one step along the velocity."""
        if learning_rate < _LEAST_SCALE:
            gradient = gradient * learning_rate
        if not self.momentum:
            self.parameters -= gradient
            return
        last = float(self.state["learning_rate"][0])
        self.state["learning_rate"][0] = learning_rate
        # The velocity holds the rate of the step before; after a rate of 0 it is 0 itself.
        decay = self.momentum * (learning_rate / last if last else 0.0)
        for block in self._blocks:
            parameters, slopes = self.parameters[block], gradient[block]
            velocity = self.state["velocity"][block]
            velocity *= decay
            velocity += slopes
            if self.nesterov:
                step = self._scratch[: velocity.size]
                np.multiply(velocity, self.momentum, out=step)
                parameters -= step
                parameters -= slopes
            else:
                parameters -= velocity


class Adam(Optimizer):
    """Steps scaled by running means of the gradient and of its square.

    m <- b1 m + (1-b1) g;  s <- b2 s + (1-b2) g^2;
    p <- p - rate (m / (1-b1^t)) / (sqrt(s / (1-b2^t)) + epsilon).
    Source: Kingma and Ba, "Adam: A method for stochastic optimization", 2015, algorithm 1.
    With ``decay`` the first ``decayed`` parameters also shrink by rate * decay a step, apart
    from the gradient: AdamW. Source: Loshchilov and Hutter, "Decoupled weight decay
    regularization", 2019, algorithm 2.

    What is stored is ``mean`` = m / (1-b1) and ``mean_square`` = s / (1-b2): ten passes over
    the parameters, and three fewer than by the formulas as they stand.

    >>> p = np.array([4.0]); optimizer = Adam(p)
    >>> for _ in range(500): optimizer.step(2 * p, learning_rate=0.1)
    >>> bool(abs(p[0]) < 1e-3)
    True
    """

    def __init__(
        self,
        parameters: Array,
        *,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        decay: float = 0.0,
        decayed: int = 0,
    ) -> None:
        self.parameters = parameters
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        self.decay = decay
        self.decayed = decayed
        self.state = {
            "mean": zeros(parameters.size, parameters.dtype),
            "mean_square": zeros(parameters.size, parameters.dtype),
            "steps": np.zeros(1),
        }
        self._blocks = _blocks(parameters)
        self._scratch = zeros(min(parameters.size, _BLOCK), parameters.dtype)
        self._kernel: AdamKernel | None = None

    @property
    def is_compiled(self) -> bool:
        """Whether steps are made in one pass, by Numba."""
        return self._kernel is not None

    def compile(self) -> None:
        """Do each step in one pass, by Numba if it is installed (see ``compiled``)."""
        from dlcli.nn.kernels import adam_kernel

        if self.parameters.dtype == np.float32:
            self._kernel = adam_kernel()

    def step(self, gradient: Array, learning_rate: float) -> None:
        """Move the parameters one step along the scaled mean gradient."""
        steps = float(self.state["steps"][0]) + 1
        self.state["steps"][0] = steps
        # The means start at 0 and are too small at first; dividing by 1 - beta^t mends that.
        mean_factor = (1 - self.beta1) / (1 - self.beta1**steps)
        root_factor = math.sqrt((1 - self.beta2) / (1 - self.beta2**steps))
        epsilon, rate = self.epsilon / root_factor, learning_rate * mean_factor / root_factor
        if self.decay:
            self.parameters[: self.decayed] *= 1 - learning_rate * self.decay
        if self._kernel is not None:
            moments = self.state["mean"], self.state["mean_square"]
            self._kernel(self.parameters, *moments, gradient, self.beta1, self.beta2, epsilon, rate)
            return
        for block in self._blocks:
            parameters, slopes = self.parameters[block], gradient[block]
            mean, mean_square = self.state["mean"][block], self.state["mean_square"][block]
            mean *= self.beta1
            mean += slopes
            mean_square *= self.beta2
            step = self._scratch[: slopes.size]
            np.multiply(slopes, slopes, out=step)
            mean_square += step

            np.sqrt(mean_square, out=step)
            step += epsilon
            np.divide(mean, step, out=step)
            step *= rate
            parameters -= step


@dataclass(frozen=True)
class OptimizerKind:
    """One optimiser that a config can name.

    Attributes
    ----------
    make
        ``make(parameters, **hyperparameters)``.
    hyperparameters
        The config keys that ``make`` takes as keywords.
    usual_learning_rate
        The learning rate where the config has none.
    high_learning_rate
        Training with a higher one is likely to diverge.
    decouples_weight_decay
        Whether weight decay is a part of the step, given to ``make`` as ``decay`` and
        ``decayed``, and not an L2 penalty in the cost.
    """

    make: Callable[..., Optimizer]
    hyperparameters: tuple[str, ...]
    usual_learning_rate: float
    high_learning_rate: float = math.inf
    decouples_weight_decay: bool = False


_ADAM_LEARNING_RATE = 0.001  # Kingma and Ba's
_HIGH_ADAM_LEARNING_RATE = 0.01

OPTIMIZERS: dict[str, OptimizerKind] = {
    "sgd": OptimizerKind(SGD, ("momentum", "nesterov"), usual_learning_rate=0.1),
    "adam": OptimizerKind(
        Adam, ("beta1", "beta2", "epsilon"), _ADAM_LEARNING_RATE, _HIGH_ADAM_LEARNING_RATE
    ),
    "adamw": OptimizerKind(
        Adam,
        ("beta1", "beta2", "epsilon"),
        _ADAM_LEARNING_RATE,
        _HIGH_ADAM_LEARNING_RATE,
        decouples_weight_decay=True,
    ),
}
