"""Record what PyTorch computes where dlcli computes the same: an independent oracle for the tests.

Writes ``tests/oracle/pytorch_values.json``, which the tests read instead of PyTorch. The values
were made with PyTorch 2.13.0, in float64 on a CPU. Takes a few seconds.

    make oracle

Parameters and gradients are recorded in dlcli's order, in one flat list: the weights of every
layer, shape (fan-in, fan-out), then its biases, then the scales of every hidden layer.
"""

import json
import math
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn import functional
from torch.optim import lr_scheduler

VALUES = Path(__file__).parents[1] / "tests" / "oracle" / "pytorch_values.json"

Record = dict[str, Any]
Layers = tuple[list[Tensor], list[Tensor]]

ACTIVATIONS = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "leaky_relu": lambda z: functional.leaky_relu(z, negative_slope=0.01),
    "gelu": lambda z: functional.gelu(z, approximate="tanh"),
    "linear": lambda z: z.clone(),
}
OUTPUTS = {
    "softmax": lambda logits: torch.softmax(logits, dim=1),
    "sigmoid": torch.sigmoid,
    "linear": lambda logits: logits,
}
PAIRS = (
    ("softmax", "cross_entropy"),
    ("sigmoid", "cross_entropy"),
    ("softmax", "mse"),
    ("sigmoid", "mse"),
    ("linear", "mse"),
)
LAYER_SIZES = (6, 5, 4, 3)
STEPS = 20
RECORDED_STEPS = (1, 2, 5, 10, 20)
RUNS: dict[str, Record] = {
    "sgd": {"optimizer": "sgd", "momentum": 0.0, "learning_rate": 0.5},
    "momentum": {"optimizer": "sgd", "momentum": 0.9, "learning_rate": 0.1},
    "nesterov": {"optimizer": "sgd", "momentum": 0.9, "nesterov": True, "learning_rate": 0.1},
    "momentum_l2": {
        "optimizer": "sgd",
        "momentum": 0.5,
        "learning_rate": 0.2,
        "weight_decay": 0.05,
    },
    "adam": {"optimizer": "adam", "learning_rate": 0.01},
    "adam_l2": {
        "optimizer": "adam",
        "learning_rate": 0.02,
        "beta1": 0.8,
        "beta2": 0.95,
        "epsilon": 1e-3,
        "weight_decay": 0.05,
    },
    "adamw": {"optimizer": "adamw", "learning_rate": 0.01, "weight_decay": 0.5},
}
# All images in every step, so that their order does not matter.
FULL_BATCH_RUN: Record = {
    "optimizer": "sgd",
    "momentum": 0.9,
    "learning_rate": 0.3,
    "weight_decay": 0.02,
    "gradient_clip": 0.2,
}
SCHEDULE_STEPS_PER_EPOCH = 5
SCHEDULE_RUNS: list[Record] = [
    {"schedule": schedule, "warmup_epochs": warmup, "epochs": 6, "learning_rate": 0.1, **rest}
    for schedule, rest in (
        ("constant", {}),
        ("step", {"decay_factor": 0.3, "step_epochs": 2}),
        ("exponential", {"decay_factor": 0.7}),
        ("cosine", {}),
    )
    for warmup in (0, 1, 2)
]


def main() -> None:
    """Write the values."""
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    random = torch.Generator().manual_seed(1)
    values = {
        "made_with": f"PyTorch {torch.__version__}",
        "activations": activation_values(),
        "outputs": output_values(3 * torch.randn(5, 10, generator=random), [3, 0, 9, 9, 4]),
        "extreme_outputs": output_values(
            torch.tensor(
                [
                    [1000.0, -1000.0, 0.0, 999.0],
                    [1000.0, -1000.0, 0.0, 999.0],
                    [-1000.0, -1000.0, -1000.0, -1000.0],
                    [1000.0, 1000.0, 1000.0, 1000.0],
                    [-1000.0, 0.0, 20.0, -1000.0],
                ]
            ),
            [0, 1, 2, 3, 2],
        ),
        "network": network_values(random),
        "schedules": [
            {
                "config": config,
                "steps_per_epoch": SCHEDULE_STEPS_PER_EPOCH,
                "rates": learning_rates(config),
            }
            for config in SCHEDULE_RUNS
        ],
        "one_cycle": one_cycle_rates(),
        "batch_norm": batch_norm_values(random),
        "label_smoothing": label_smoothing_values(random),
    }
    VALUES.write_text(json.dumps(values, separators=(",", ":")) + "\n")


def activation_values() -> Record:
    """Activations and their derivatives."""
    z = torch.cat([torch.linspace(-6, 6, 25), torch.tensor([-100.0, -20.0, 20.0, 100.0])])
    record: Record = {"z": z.tolist()}
    for name, function in ACTIVATIONS.items():
        point = z.clone().requires_grad_()
        values = function(point)
        (derivatives,) = torch.autograd.grad(values.sum(), point)
        record[name] = {"values": values.tolist(), "derivatives": derivatives.tolist()}
    return record


def output_values(logits: Tensor, labels: list[int]) -> Record:
    """Outputs, costs and gradients for each output activation with each loss."""
    record: Record = {"logits": logits.tolist(), "labels": labels, "pairs": []}
    for output, loss in PAIRS:
        point = logits.clone().requires_grad_()
        values = costs(output, loss, point, torch.tensor(labels))
        (gradient,) = torch.autograd.grad(values.sum(), point)
        record["pairs"].append(
            {
                "output_activation": output,
                "loss": loss,
                "outputs": OUTPUTS[output](logits).tolist(),
                "values": values.tolist(),
                "gradient": gradient.tolist(),
            }
        )
    return record


def costs(output: str, loss: str, logits: Tensor, labels: Tensor) -> Tensor:
    """The cost of each image, by PyTorch's own loss functions."""
    targets = functional.one_hot(labels, logits.shape[1]).to(logits.dtype)
    if loss == "mse":
        squares = functional.mse_loss(OUTPUTS[output](logits), targets, reduction="none")
        return 0.5 * squares.sum(dim=1)
    if output == "softmax":
        return functional.cross_entropy(logits, labels, reduction="none")
    separate = functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    return separate.sum(dim=1)


def network_values(random: Generator) -> Record:
    """Gradients of whole networks, and runs of the optimisers."""
    images = torch.randint(0, 256, (12, LAYER_SIZES[0]), generator=random)
    labels = torch.randint(0, LAYER_SIZES[-1], (12,), generator=random)
    weights = [
        torch.randn(fan_in, fan_out, generator=random) / math.sqrt(fan_in)
        for fan_in, fan_out in pairwise(LAYER_SIZES)
    ]
    biases = [0.3 * torch.randn(fan_out, generator=random) for fan_out in LAYER_SIZES[1:]]
    batches = [torch.randperm(12, generator=random)[: 4 + step % 2] for step in range(STEPS)]
    inputs = images / 255
    start = (weights, biases)

    def gradient(
        activations: Sequence[str], output: str, loss: str, l2_penalty: float = 0.0
    ) -> Record:
        leaf_weights, leaf_biases = leaves(start)
        logits = logits_of(leaf_weights, leaf_biases, activations, inputs)
        value = costs(output, loss, logits, labels).mean()
        (value + penalty(leaf_weights, l2_penalty)).backward()
        gradients = [p.grad for p in (*leaf_weights, *leaf_biases)]
        return {
            "activations": activations,
            "output_activation": output,
            "loss": loss,
            "l2_penalty": l2_penalty,
            "value": value.item(),
            "gradient": flat(gradients),
        }

    return {
        "layer_sizes": LAYER_SIZES,
        "images": images.tolist(),
        "labels": labels.tolist(),
        "parameters": flat([*weights, *biases]),
        "gradients": [
            *(gradient([name, name], "softmax", "cross_entropy") for name in ACTIVATIONS),
            *(gradient(["gelu", "tanh"], output, loss) for output, loss in PAIRS),
            gradient(["leaky_relu", "sigmoid"], "softmax", "cross_entropy", l2_penalty=0.3),
        ],
        "trajectory_activations": ["tanh", "gelu"],
        "batches": [batch.tolist() for batch in batches],
        "trajectories": {
            name: trajectory(config, start, inputs, labels, batches)
            for name, config in RUNS.items()
        },
        "full_batch_trajectory": trajectory(
            FULL_BATCH_RUN, start, inputs, labels, [torch.arange(12)] * STEPS
        ),
    }


def leaves(start: Layers) -> Layers:
    """Copies of the weights and biases, for which PyTorch computes gradients."""
    weights, biases = start
    return (
        [weight.clone().requires_grad_() for weight in weights],
        [bias.clone().requires_grad_() for bias in biases],
    )


def logits_of(
    weights: list[Tensor], biases: list[Tensor], activations: Sequence[str], inputs: Tensor
) -> Tensor:
    """The forward pass."""
    values = inputs
    for weight, bias, name in zip(weights, biases, [*activations, None], strict=True):
        sums = functional.linear(values, weight.T, bias)
        values = ACTIVATIONS[name](sums) if name else sums
    return values


def penalty(weights: list[Tensor], l2_penalty: float) -> Tensor:
    """The L2 term of the cost."""
    return l2_penalty / 2 * sum(weight.square().sum() for weight in weights)


def flat(tensors: Iterable[Tensor]) -> list[float]:
    """All elements in one list."""
    values: list[float] = torch.cat([tensor.detach().flatten() for tensor in tensors]).tolist()
    return values


def trajectory(
    config: Record, start: Layers, inputs: Tensor, labels: Tensor, batches: list[Tensor]
) -> Record:
    """A run of one of the optimisers: the loss of each step, and the parameters after some steps.

    The L2 penalty of sgd and adam is a term of the cost, so that clipping includes it; adamw decays
    its first parameter group, the weights.
    """
    weights, biases = leaves(start)
    decoupled = config["optimizer"] == "adamw"
    l2_penalty = 0.0 if decoupled else config.get("weight_decay", 0.0)
    groups = [
        {"params": weights, "weight_decay": config["weight_decay"] if decoupled else 0.0},
        {"params": biases, "weight_decay": 0.0},
    ]
    optimizer = make_optimizer(config, groups)
    losses: list[float] = []
    recorded: dict[int, list[float]] = {}
    for step, rows in enumerate(batches, start=1):
        optimizer.zero_grad()
        logits = logits_of(weights, biases, ["tanh", "gelu"], inputs[rows])
        loss = costs("softmax", "cross_entropy", logits, labels[rows]).mean()
        (loss + penalty(weights, l2_penalty)).backward()
        if "gradient_clip" in config:
            torch.nn.utils.clip_grad_norm_([*weights, *biases], config["gradient_clip"])
        optimizer.step()
        losses.append(loss.item())
        if step in RECORDED_STEPS:
            recorded[step] = flat([*weights, *biases])
    return {"config": config, "losses": losses, "parameters_after": recorded}


def make_optimizer(config: Record, groups: list[Record]) -> torch.optim.Optimizer:
    """PyTorch's optimiser for a config of dlcli."""
    rate = config["learning_rate"]
    if config["optimizer"] == "sgd":
        return torch.optim.SGD(
            groups, lr=rate, momentum=config["momentum"], nesterov=config.get("nesterov", False)
        )
    make = torch.optim.AdamW if config["optimizer"] == "adamw" else torch.optim.Adam
    betas = (config.get("beta1", 0.9), config.get("beta2", 0.999))
    return make(groups, lr=rate, betas=betas, eps=config.get("epsilon", 1e-8))


def learning_rates(config: Record) -> list[float]:
    """The learning rate of every step, by PyTorch's schedulers, which take a step each time."""
    per_epoch = SCHEDULE_STEPS_PER_EPOCH
    steps, warmup = config["epochs"] * per_epoch, config["warmup_epochs"] * per_epoch
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=config["learning_rate"])
    schedulers: dict[str, Callable[[], Any]] = {
        "constant": lambda: lr_scheduler.ConstantLR(optimizer, factor=1.0),
        "step": lambda: lr_scheduler.StepLR(
            optimizer, config["step_epochs"] * per_epoch, config["decay_factor"]
        ),
        "exponential": lambda: lr_scheduler.ExponentialLR(
            optimizer, config["decay_factor"] ** (1 / per_epoch)
        ),
        "cosine": lambda: lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps - warmup),
    }
    make_scheduler = schedulers[config["schedule"]]
    if warmup:
        rise = lr_scheduler.LinearLR(optimizer, start_factor=1 / warmup, total_iters=warmup - 1)
        scheduler = lr_scheduler.SequentialLR(optimizer, [rise, make_scheduler()], [warmup])
    else:
        scheduler = make_scheduler()
    return rates_of(optimizer, scheduler, steps)


def rates_of(optimizer: torch.optim.SGD, scheduler: Any, steps: int) -> list[float]:
    """The learning rate of every step."""
    rates: list[float] = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


def one_cycle_rates() -> Record:
    """The one-cycle schedule in many steps: PyTorch has one interval less than dlcli."""
    steps = 10_000
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    cycle = lr_scheduler.OneCycleLR(optimizer, max_lr=1.0, total_steps=steps, cycle_momentum=False)
    return {"steps": steps, "every": 250, "rates": rates_of(optimizer, cycle, steps)[::250]}


def batch_norm_values(random: Generator) -> Record:
    """Two training steps with batch normalisation, and predictions with the running statistics."""
    sizes, activations = LAYER_SIZES, ["tanh", "relu"]
    images = torch.randint(0, 256, (2, 8, sizes[0]), generator=random)
    labels = torch.randint(0, sizes[-1], (2, 8), generator=random)
    weights = [torch.randn(shape, generator=random) / 2 for shape in pairwise(sizes)]
    biases = [torch.randn(size, generator=random) / 3 for size in sizes[1:]]
    scales = [1 + torch.randn(size, generator=random) / 3 for size in sizes[1:-1]]
    parameters = [tensor.requires_grad_() for tensor in (*weights, *biases, *scales)]
    means = [torch.zeros(size) for size in sizes[1:-1]]
    variances = [torch.ones(size) for size in sizes[1:-1]]

    def logits_of(inputs: Tensor, *, training: bool) -> Tensor:
        values = inputs
        for layer, name in enumerate(activations):
            sums = functional.batch_norm(
                values @ weights[layer],
                means[layer],
                variances[layer],
                scales[layer],
                biases[layer],
                training=training,
            )
            values = ACTIVATIONS[name](sums)
        return values @ weights[-1] + biases[-1]

    batches = []
    for batch, truth in zip(images, labels, strict=True):
        loss = functional.cross_entropy(logits_of(batch / 255, training=True), truth)
        gradient = torch.autograd.grad(loss, parameters)
        batches.append(
            {
                "images": batch.tolist(),
                "labels": truth.tolist(),
                "value": loss.item(),
                "gradient": flat(gradient),
                "statistics": flat([*means, *variances]),
            }
        )
    return {
        "layer_sizes": sizes,
        "activations": activations,
        "parameters": flat(parameters),
        "batches": batches,
        "logits": logits_of(images[0] / 255, training=False).tolist(),
    }


def label_smoothing_values(random: Generator) -> Record:
    """Costs with label smoothing."""
    logits = 2 * torch.randn(6, 10, generator=random)
    labels = torch.randint(0, 10, (6,), generator=random)
    values = functional.cross_entropy(logits, labels, reduction="none", label_smoothing=0.1)
    return {"logits": logits.tolist(), "labels": labels.tolist(), "values": values.tolist()}


if __name__ == "__main__":
    main()
