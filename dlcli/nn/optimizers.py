"""Optimisers: how a gradient becomes a step downhill, in place, over flat vectors.

Each optimiser keeps what it remembers of past gradients in ``state``, named arrays of shape
(parameters,) or (1,). A checkpoint stores them, so that a resumed run ends as if it had never
stopped.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dlcli.nn.lazy_numpy import np
from dlcli.nn.memory import zeros

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dlcli.nn.kernels import Pass
    from dlcli.nn.types import Array


class Optimizer(ABC):
    """Moves parameters against their gradient.

    Each kind calls ``super().__init__(parameters)`` and makes its ``state``.

    Attributes
    ----------
    kernels
        The passes that a step consists of (see ``kernels``); float32 can have compiled ones.
    """

    parameters: Array
    state: dict[str, Array]

    def __init__(self, parameters: Array) -> None:
        from dlcli.nn.kernels import BLOCK, NUMPY

        self.parameters = parameters
        self.kernels: Mapping[str, Pass] = NUMPY
        self._scratch = zeros(min(parameters.size, BLOCK), parameters.dtype)

    def flush_subnormals(self) -> None:
        """Set the state to 0 where it has faded to 1e-30 or less.

        Where a gradient is 0 for long, as behind a pixel at the border, the mean of the past
        fades until it is a subnormal float (below 1e-38), which processors multiply a hundred
        times more slowly: from its third epoch on, the config ``fast`` took 1.5 times as long.
        """
        for values in self.state.values():
            if values.size == self.parameters.size:
                self.kernels["flush_subnormals"](values)

    @property
    def kernel(self) -> str | None:
        """The name of the pass that makes a step; None if it is not in the table of kernels."""
        return None

    @abstractmethod
    def step(self, gradient: Array, learning_rate: float) -> None:
        """Move the parameters one step; ``gradient``, shape (parameters,), is not changed."""


class SGD(Optimizer):
    """Gradient descent, with momentum and Nesterov's look-ahead if wanted.

    With the gradient g, the velocity v and the learning rate r::

        v <- momentum v + g
        p <- p - r v                    or, with Nesterov,  p <- p - r (g + momentum v)

    Source: Sutskever et al., "On the importance of initialization and momentum", 2013, in the
    form that keeps the learning rate out of v.

    >>> p = np.array([4.0])
    >>> optimizer = SGD(p, momentum=0.5)
    >>> for _ in range(2):  # down the parabola p^2
    ...     optimizer.step(2 * p, learning_rate=0.25)
    ...     print(p, optimizer.state["velocity"])
    [2.] [8.]
    [0.] [8.]
    """

    def __init__(self, parameters: Array, *, momentum: float, nesterov: bool = False) -> None:
        super().__init__(parameters)
        self.momentum = momentum
        self.nesterov = nesterov
        self.state = {"velocity": zeros(parameters.size, parameters.dtype)} if momentum else {}

    @property
    def kernel(self) -> str:
        """The name of the pass that makes a step."""
        if not self.momentum:
            return "gradient_step"
        return "nesterov_step" if self.nesterov else "momentum_step"

    def step(self, gradient: Array, learning_rate: float) -> None:
        """Move the parameters one step along the velocity."""
        take_step = self.kernels[self.kernel]
        arrays = self.parameters, gradient, self._scratch
        if self.momentum:
            take_step(*arrays, learning_rate, self.state["velocity"], self.momentum)
        else:
            take_step(*arrays, learning_rate)


class Adam(Optimizer):
    """Steps along the mean gradient, scaled by the root of its mean square.

    With the gradient g, the learning rate r and the number of steps t::

        m <- beta1 m + (1 - beta1) g
        v <- beta2 v + (1 - beta2) g^2
        p <- p - r (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon)

    Source: Kingma and Ba, "Adam: A method for stochastic optimization", 2015, algorithm 1.
    With ``weight_decay`` the first ``weight_count`` parameters, but for the ``frozen_weights`` at
    their start, also shrink by r * weight_decay a step, apart from the gradient: AdamW. Source:
    Loshchilov and Hutter, "Decoupled weight decay regularization", 2019, algorithm 2.

    >>> p = np.array([4.0, -4.0])
    >>> optimizer = Adam(p)
    >>> optimizer.step(np.array([1000.0, -0.001]), learning_rate=0.25)
    >>> print(p.round(4))
    [ 3.75 -3.75]
    """

    def __init__(
        self,
        parameters: Array,
        *,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
        weight_count: int = 0,
        frozen_weights: int = 0,
    ) -> None:
        super().__init__(parameters)
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        self.weight_decay = weight_decay
        self.weight_count = weight_count
        self.frozen_weights = frozen_weights
        self.state = {
            "m": zeros(parameters.size, parameters.dtype),
            "v": zeros(parameters.size, parameters.dtype),
            "steps": np.zeros(1),
        }

    @property
    def kernel(self) -> str:
        """The name of the pass that makes a step."""
        return "adam_step"

    def step(self, gradient: Array, learning_rate: float) -> None:
        """Move the parameters one step along the scaled mean gradient."""
        self.state["steps"][0] += 1
        steps = float(self.state["steps"][0])
        if self.weight_decay:
            decaying = self.parameters[self.frozen_weights : self.weight_count]
            decaying *= 1 - learning_rate * self.weight_decay
        # The corrections of m and v become part of epsilon and of the learning rate, as at the
        # end of section 2 of the paper.
        v_correction = math.sqrt(1 - self.beta2**steps)
        rate = learning_rate * v_correction / (1 - self.beta1**steps)
        epsilon = self.epsilon * v_correction
        take_step = self.kernels[self.kernel]
        weights = self.beta1, 1 - self.beta1, self.beta2, 1 - self.beta2
        m, v = self.state["m"], self.state["v"]
        take_step(self.parameters, gradient, self._scratch, rate, m, v, weights, epsilon)


@dataclass(frozen=True)
class OptimizerKind:
    """One optimiser that a config can name.

    Attributes
    ----------
    summary
        What it does, for the reference of the config.
    make
        ``make(parameters, **hyperparameters)``.
    hyperparameters
        The config keys that ``make`` takes as keywords.
    usual_learning_rate
        The learning rate where the config has none.
    high_learning_rate
        Training with a higher one is likely to diverge.
    decouples_weight_decay
        Whether weight decay is a part of the step, given to ``make`` as ``weight_decay``,
        ``weight_count`` and ``frozen_weights``, and not an L2 penalty in the cost.
    """

    summary: str
    make: Callable[..., Optimizer]
    hyperparameters: tuple[str, ...]
    usual_learning_rate: float
    high_learning_rate: float = math.inf
    decouples_weight_decay: bool = False


_ADAM = OptimizerKind(
    "along the mean gradient, scaled by the root of its mean square",
    Adam,
    ("beta1", "beta2", "epsilon"),
    usual_learning_rate=0.001,  # Kingma and Ba's
    high_learning_rate=0.01,
)

OPTIMIZERS: dict[str, OptimizerKind] = {
    "sgd": OptimizerKind(
        "along the gradient, with momentum", SGD, ("momentum", "nesterov"), usual_learning_rate=0.1
    ),
    "adam": _ADAM,
    "adamw": replace(
        _ADAM,
        summary="as adam, with weight_decay apart from the gradient",
        decouples_weight_decay=True,
    ),
}
