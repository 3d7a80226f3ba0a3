"""The libraries compared: each trains the same network on the same images, in its own process.

The constructor prepares everything; each call of ``epoch`` then trains one epoch: all images in
a new random order, including the last, smaller batch. It returns the mean loss. The images are
in memory, in the layout that suits the library best. All start from dlcli's initial weights,
except scikit-learn, which draws its own.
"""

import functools
import math
import sys
from collections.abc import Iterator
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt
from threadpoolctl import ThreadpoolController, threadpool_info

from benchmarks.cases import MOMENTUM, Case
from dlcli.config import files as config_files
from dlcli.config.schema import to_builtins
from dlcli.data.examples import Examples
from dlcli.training.builders import make_network
from dlcli.training.loop import fit
from dlcli.training.state import initial_state
from dlcli.training.threads import Threads, candidates

Layers = list[tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]]


class Contender(Protocol):
    """One library, training one network."""

    def epoch(self) -> float:
        """Train for an epoch; the mean loss over its images, while the weights change."""

    def layers(self) -> Layers:
        """The current weights, shape (fan-in, fan-out), and biases of each layer."""

    def versions(self) -> str:
        """The library, its version and its number of threads."""


class Dlcli:
    """The code that ``dlcli train`` runs: ``fit()``, without validation images."""

    has_numba = False
    settings: ClassVar[dict[str, Any]] = {}

    def __init__(self, case: Case, train: Examples) -> None:
        if not self.has_numba:
            sys.modules["numba"] = None  # type: ignore[assignment] # as if not installed
        config = case.config(**self.settings)
        self.state = initial_state(config, 10)
        nothing = Examples(train.images[:0], train.labels[:0])
        blas = ThreadpoolController().select(user_api="blas")
        most = max(pool["num_threads"] for pool in blas.info())
        threads = Threads(candidates(most), None, blas)
        self.epochs = fit(config, train, nothing, self.state, threads=threads)

    def epoch(self) -> float:
        return next(self.epochs).train_loss

    def layers(self) -> Layers:
        network = self.state.evaluated_network.fuse_batch_norm()
        return list(zip(network.weights, network.biases, strict=True))

    def versions(self) -> str:
        return f"NumPy {np.__version__}, {_blas()}"


class DlcliCompiled(Dlcli):
    """The same with everything beside the products compiled by Numba."""

    has_numba = True

    def versions(self) -> str:
        if "numba" not in sys.modules:
            raise RuntimeError("Numba was not used")
        import numba

        return f"Numba {numba.__version__}, {super().versions()}"


class DlcliAugmented(Dlcli):
    """The same with the augmentation of ``configs/best.yaml``."""

    settings: ClassVar[dict[str, Any]] = {
        "augmentation": to_builtins(config_files.load(["best"]))["augmentation"]
    }


class DlcliNormalised(Dlcli):
    """The same with batch normalisation."""

    settings: ClassVar[dict[str, Any]] = {"batch_norm": True}


class DlcliAveraged(Dlcli):
    """The same with a running mean of the weights."""

    settings: ClassVar[dict[str, Any]] = {"weight_averaging": 0.999}


class MatrixProducts:
    """The matrix products of an epoch alone: the time if everything else cost nothing."""

    def __init__(self, case: Case, train: Examples) -> None:
        random = np.random.default_rng(0)
        sizes = case.config().layer_sizes(10)
        rows = case.batch_size
        self.batches = [min(rows, len(train) - i) for i in range(0, len(train), rows)]
        self.weights = [layer[0] for layer in _initial_layers(case)]
        self.values = [random.random((rows, size), dtype=np.float32) for size in sizes]
        self.errors = [np.empty_like(values) for values in self.values]
        self.gradients = [np.empty_like(weight) for weight in self.weights]

    def epoch(self) -> float:
        values, errors = self.values, self.errors
        for n in self.batches:
            for layer, weight in enumerate(self.weights):
                np.matmul(values[layer][:n], weight, out=errors[layer + 1][:n])
            for layer in reversed(range(len(self.weights))):
                error = values[layer + 1][:n]
                np.matmul(values[layer][:n].T, error, out=self.gradients[layer])
                if layer:
                    np.matmul(error, self.weights[layer].T, out=errors[layer][:n])
        return math.nan

    def layers(self) -> Layers:
        return []

    def versions(self) -> str:
        return f"NumPy {np.__version__}, {_blas()}"


class Torch:
    """PyTorch without compilation; the optimiser with its fused kernel, which is the fastest."""

    def __init__(self, case: Case, train: Examples) -> None:
        import torch

        self.torch = torch
        self.images = torch.from_numpy(train.images.astype(np.float32) / 255)
        self.labels = torch.from_numpy(train.labels.astype(np.int64))
        self.batch_size = case.batch_size
        self.network = torch.nn.Sequential()
        for weight, bias in _initial_layers(case):
            linear = torch.nn.Linear(*weight.shape)
            with torch.no_grad():
                linear.weight.copy_(torch.from_numpy(weight.T))
                linear.bias.copy_(torch.from_numpy(bias))
            self.network.extend([linear, torch.nn.ReLU()])
        self.network = self.network[:-1]
        parameters, rate = self.network.parameters(), case.learning_rate
        if case.optimizer == "sgd":
            self.optimizer: Any = torch.optim.SGD(
                parameters, lr=rate, momentum=MOMENTUM, fused=True
            )
        else:
            self.optimizer = torch.optim.Adam(parameters, lr=rate, fused=True)

    def step(self, rows: Any) -> Any:
        """Train on a batch; its loss. ``index_select`` takes a sixth of the time of ``[rows]``."""
        images, labels = self.images.index_select(0, rows), self.labels.index_select(0, rows)
        loss = self.torch.nn.functional.cross_entropy(self.network(images), labels)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.detach()

    def epoch(self) -> float:
        count = len(self.images)
        total = self.torch.zeros(())
        for rows in self.torch.randperm(count).split(self.batch_size):
            total += self.step(rows) * len(rows)
        return float(total) / count

    def layers(self) -> Layers:
        linears = [layer for layer in self.network if hasattr(layer, "weight")]
        return [(x.weight.detach().numpy().T, x.bias.detach().numpy()) for x in linears]

    def versions(self) -> str:
        return f"PyTorch {self.torch.__version__}, {self.torch.get_num_threads()} threads"


class TorchCompiled(Torch):
    """PyTorch with the whole step in one graph of ``torch.compile``, the optimiser included."""

    def __init__(self, case: Case, train: Examples) -> None:
        super().__init__(case, train)
        torch, rate, network = self.torch, case.learning_rate, self.network
        parameters = {name: p.detach() for name, p in network.named_parameters()}
        mean, square = (
            {name: torch.zeros_like(p) for name, p in parameters.items()} for _ in range(2)
        )
        steps = torch.zeros(())

        def cost(parameters: Any, images: Any, labels: Any) -> Any:
            logits = torch.func.functional_call(network, parameters, (images,))
            return torch.nn.functional.cross_entropy(logits, labels)

        def momentum(name: str, gradient: Any) -> None:
            mean[name].mul_(MOMENTUM).add_(gradient)
            parameters[name].sub_(rate * mean[name])

        def adam(name: str, gradient: Any) -> None:
            mean[name].lerp_(gradient, 0.1)
            square[name].mul_(0.999).add_(0.001 * gradient * gradient)
            corrected = mean[name] / (1 - 0.9**steps)
            root = (square[name] / (1 - 0.999**steps)).sqrt()
            parameters[name].sub_(rate * corrected / (root + 1e-8))

        update = momentum if case.optimizer == "sgd" else adam

        def step(rows: Any) -> Any:
            images, labels = self.images.index_select(0, rows), self.labels.index_select(0, rows)
            gradients, loss = torch.func.grad_and_value(cost)(parameters, images, labels)
            steps.add_(1)
            for name, gradient in gradients.items():
                update(name, gradient)
            return loss

        self.step = torch.compile(step, dynamic=False)  # type: ignore[method-assign]


class Jax:
    """JAX with a whole epoch compiled into one call."""

    def __init__(self, case: Case, train: Examples) -> None:
        import jax
        from jax import numpy as jnp

        self.jax = jax
        self.images = jnp.asarray(train.images.astype(np.float32) / 255)
        self.targets = jnp.asarray(np.eye(10, dtype=np.float32)[train.labels])
        self.random = np.random.default_rng(0)
        parameters = [(jnp.asarray(w), jnp.asarray(b)) for w, b in _initial_layers(case)]
        mean, square = (jax.tree.map(jnp.zeros_like, parameters) for _ in range(2))
        self.state = (parameters, mean, square, jnp.float32(0))
        count, size, rate = len(train), case.batch_size, case.learning_rate
        whole = count // size * size

        def cost(parameters: Any, images: Any, targets: Any) -> Any:
            *hidden, (weight, bias) = parameters
            for w, b in hidden:
                images = jax.nn.relu(images @ w + b)
            log_probabilities = jax.nn.log_softmax(images @ weight + bias)
            return -jnp.mean(jnp.sum(targets * log_probabilities, axis=1))

        def momentum(state: Any, gradients: Any) -> Any:
            parameters, velocity, unused, steps = state
            velocity = jax.tree.map(lambda v, g: MOMENTUM * v + g, velocity, gradients)
            parameters = jax.tree.map(lambda p, v: p - rate * v, parameters, velocity)
            return parameters, velocity, unused, steps

        def adam(state: Any, gradients: Any) -> Any:
            parameters, mean, square, steps = state
            steps += 1
            mean = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, mean, gradients)
            square = jax.tree.map(lambda s, g: 0.999 * s + 0.001 * g * g, square, gradients)
            mean_correction, square_correction = 1 - 0.9**steps, 1 - 0.999**steps
            parameters = jax.tree.map(
                lambda p, m, s: (
                    p - rate * (m / mean_correction) / (jnp.sqrt(s / square_correction) + 1e-8)
                ),
                parameters,
                mean,
                square,
            )
            return parameters, mean, square, steps

        update = momentum if case.optimizer == "sgd" else adam

        def step(images: Any, targets: Any, state: Any, rows: Any) -> Any:
            batch = [x.at[rows].get(mode="promise_in_bounds") for x in (images, targets)]
            loss, gradients = jax.value_and_grad(cost)(state[0], *batch)
            return update(state, gradients), loss * len(rows)

        def epoch(state: Any, images: Any, targets: Any, order: Any) -> Any:
            one_step = functools.partial(step, images, targets)
            state, losses = jax.lax.scan(one_step, state, order[:whole].reshape(-1, size))
            total = losses.sum()
            if whole < count:
                state, loss = one_step(state, order[whole:])
                total += loss
            return state, total / count

        self.compiled = jax.jit(epoch, donate_argnums=0)

    def epoch(self) -> float:
        order = self.random.permutation(len(self.images)).astype(np.int32)
        self.state, loss = self.compiled(self.state, self.images, self.targets, order)
        return float(loss)

    def layers(self) -> Layers:
        return [(np.asarray(w), np.asarray(b)) for w, b in self.state[0]]

    def versions(self) -> str:
        return f"JAX {self.jax.__version__}, its own choice of threads"


class Sklearn:
    """scikit-learn's MLPClassifier, one epoch at a time by ``partial_fit``."""

    def __init__(self, case: Case, train: Examples) -> None:
        from sklearn.neural_network import MLPClassifier

        self.images = train.images.astype(np.float32) / 255
        self.labels = train.labels
        self.classifier = MLPClassifier(
            case.hidden_layers,
            solver=case.optimizer,
            alpha=0,
            batch_size=case.batch_size,
            learning_rate_init=case.learning_rate,
            momentum=MOMENTUM,
            nesterovs_momentum=False,
            random_state=0,
        )

    def epoch(self) -> float:
        self.classifier.partial_fit(self.images, self.labels, classes=np.arange(10))
        return float(self.classifier.loss_)

    def layers(self) -> Layers:
        return list(zip(self.classifier.coefs_, self.classifier.intercepts_, strict=True))

    def versions(self) -> str:
        import sklearn

        return f"scikit-learn {sklearn.__version__}, {_blas()}"


CONTENDERS: dict[str, type[Any]] = {
    "dlcli": Dlcli,
    "dlcli_compiled": DlcliCompiled,
    "dlcli_augmented": DlcliAugmented,
    "dlcli_normalised": DlcliNormalised,
    "dlcli_averaged": DlcliAveraged,
    "products": MatrixProducts,
    "torch": Torch,
    "torch_compiled": TorchCompiled,
    "jax": Jax,
    "sklearn": Sklearn,
}
TITLES = {
    "dlcli": "dlcli",
    "dlcli_compiled": "dlcli with Numba",
    "dlcli_augmented": "dlcli with augmentation",
    "dlcli_normalised": "dlcli with batch normalisation",
    "dlcli_averaged": "dlcli with averaged weights",
    "products": "matrix products alone",
    "torch": "PyTorch",
    "torch_compiled": "PyTorch compiled",
    "jax": "JAX, epoch jitted",
    "sklearn": "scikit-learn",
}


def accuracy(layers: Layers, examples: Examples) -> float:
    """The fraction of images that a ReLU network of these layers classifies correctly."""
    values = examples.images.astype(np.float32) / 255
    *hidden, (weight, bias) = layers
    for w, b in hidden:
        values = np.maximum(values @ w + b, 0)
    return float(np.mean((values @ weight + bias).argmax(axis=1) == examples.labels))


def _initial_layers(case: Case) -> Layers:
    network = make_network(case.config(), 10)
    return [(w.copy(), b.copy()) for w, b in zip(network.weights, network.biases, strict=True)]


def _blas() -> str:
    return ", ".join(_pools())


def _pools() -> Iterator[str]:
    for pool in threadpool_info():
        if pool["user_api"] == "blas":
            threads = f"{pool['num_threads']} threads"
            yield f"{pool['internal_api']} {pool['version']} ({pool['architecture']}), {threads}"
