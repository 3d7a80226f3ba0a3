"""Optimisers: how a gradient becomes a step downhill, in place, over flat vectors.

Each optimiser keeps its memory of past gradients in ``state``, a table of named arrays that
a checkpoint stores, so that a resumed run goes on as if it had never stopped.
"""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import numpy as np

from dlcli.activations import Array

if TYPE_CHECKING:
    from dlcli.config import Config


class Optimizer(ABC):
    """Moves parameters against their gradient."""

    state: dict[str, Array]

    @abstractmethod
    def step(self, gradient: Array, learning_rate: float) -> None:
        """Move the parameters one step; ``gradient``, shape (parameters,), is left as it was."""


class SGD(Optimizer):
    """Gradient descent, with momentum and Nesterov's look-ahead if wanted.

    v <- momentum v + g;  p <- p - rate v,  or with Nesterov  p <- p - rate (g + momentum v).
    Source: Sutskever et al., "On the importance of initialization and momentum", 2013, in the
    form that keeps the learning rate out of v.

    >>> p = np.array([4.0]); optimizer = SGD(p, momentum=0.0)
    >>> for _ in range(50): optimizer.step(2 * p, learning_rate=0.1)
    >>> bool(abs(p[0]) < 1e-3)
    True
    """

    def __init__(self, parameters: Array, *, momentum: float, nesterov: bool = False) -> None:
        self.parameters = parameters
        self.momentum = momentum
        self.nesterov = nesterov
        self.state = {"velocity": np.zeros_like(parameters)} if momentum else {}
        self._step = np.empty_like(parameters)

    def step(self, gradient: Array, learning_rate: float) -> None:
        """Move the parameters one step along the velocity."""
        direction = gradient
        if self.momentum:
            velocity = self.state["velocity"]
            velocity *= self.momentum
            velocity += gradient
            direction = velocity
        np.multiply(direction, learning_rate, out=self._step)
        if self.nesterov:
            self._step *= self.momentum
            self.parameters -= self._step
            np.multiply(gradient, learning_rate, out=self._step)
        self.parameters -= self._step


class Adam(Optimizer):
    """Steps scaled by running means of the gradient and of its square.

    m <- b1 m + (1-b1) g;  s <- b2 s + (1-b2) g^2;
    p <- p - rate (m / (1-b1^t)) / (sqrt(s / (1-b2^t)) + epsilon).
    Source: Kingma and Ba, "Adam: A method for stochastic optimization", 2015, algorithm 1.
    With ``decay`` the first ``decayed`` parameters also shrink by rate * decay a step, apart
    from the gradient: AdamW. Source: Loshchilov and Hutter, "Decoupled weight decay
    regularization", 2019, algorithm 2.

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
            "mean": np.zeros_like(parameters),
            "mean_square": np.zeros_like(parameters),
            "steps": np.zeros(1),
        }
        self._scratch = np.empty_like(parameters)

    def step(self, gradient: Array, learning_rate: float) -> None:
        """Move the parameters one step along the scaled mean gradient."""
        mean, mean_square, scratch = self.state["mean"], self.state["mean_square"], self._scratch
        self.state["steps"] += 1
        steps = float(self.state["steps"][0])

        mean *= self.beta1
        np.multiply(gradient, 1 - self.beta1, out=scratch)
        mean += scratch
        mean_square *= self.beta2
        np.multiply(gradient, gradient, out=scratch)
        scratch *= 1 - self.beta2
        mean_square += scratch

        # The means start at 0 and are too small at first; dividing by 1 - beta^t mends that.
        np.multiply(mean_square, 1 / (1 - self.beta2**steps), out=scratch)
        np.sqrt(scratch, out=scratch)
        scratch += self.epsilon
        np.divide(mean, scratch, out=scratch)
        scratch *= learning_rate / (1 - self.beta1**steps)
        if self.decay:
            self.parameters[: self.decayed] *= 1 - learning_rate * self.decay
        self.parameters -= scratch


def make_optimizer(config: "Config", parameters: Array, weight_count: int) -> Optimizer:
    """The optimiser a config asks for, over ``parameters`` whose first part are weights."""
    if config.optimizer == "sgd":
        return SGD(parameters, momentum=config.momentum, nesterov=config.nesterov)
    return Adam(
        parameters,
        beta1=config.beta1,
        beta2=config.beta2,
        epsilon=config.epsilon,
        decay=config.weight_decay if config.optimizer == "adamw" else 0.0,
        decayed=weight_count,
    )
