"""Train the network that judges cuts further, on whole strings of digits: ``cut_digits.npz``.

``tools.train_cuts`` teaches the network what single candidates show. ``dlcli read`` takes the
cheapest way through all candidates of a line, and it is this way that has to be right. So the cost
here is minus the logarithm of the probability of the string that is written, among all strings on
all ways; its gradient moves the candidates that make a wrong way cheap or the right one dear.
Sources: LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document
recognition", 1998, section VI (discriminative forward training); for strings of digits, Liu, Sako
and Fujisawa, 2004 (see ``vision.segmentation``). The cross-entropy of single candidates is added,
which keeps what the network knows of letters. The same seeds give the same strings. Takes about 40
minutes on two cores, after ``tools.train_cuts``.

    make cuts
"""

import argparse
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from multiprocessing import Pool
from pathlib import Path

# Each process has a core to itself; BLAS threads would only be in its way.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from dlcli.config.schema import Config
from dlcli.data import location
from dlcli.inference.numeral_lattice import (
    LEAST_OOD,
    MIN_PROBABILITY,
    NONE_WEIGHT,
    Lattice,
    Scored,
)
from dlcli.inference.numeral_strings import recognize
from dlcli.nn.ema import WeightAveraging
from dlcli.nn.network import Network
from dlcli.nn.random import random_stream
from dlcli.nn.types import Array, Pixels
from dlcli.runs import lookup
from dlcli.training.builders import (
    make_backpropagation,
    make_learning_rates,
    make_optimizer,
)
from dlcli.vision.rejection import (
    ACTIVATION,
    CUTS_FILE,
    OOD_CLASS,
    cut_network,
    cut_probabilities,
)
from tools.train_cuts import CutString, chosen_candidates, cut_strings, hands_of
from tools.train_rejection import save
from tools.writers import Writers

# The numbers of the strings, other ones than those of ``tools.train_cuts``.
LEARNED, VALIDATION = range(100_000, 132_000), range(1_000_000, 1_000_300)
# What the network is so sure to be no digit changes no way, and this fraction of it is learned.
_SURE, _KEPT = 0.999, 0.05
# A gradient is of so many strings, their candidates' cross-entropy included, with this weight.
_STRINGS, _SINGLE_WEIGHT = 16, 1.8
# Strings whose right way costs so much more than all ways are not learned: most are cut wrongly.
_MAX_LOSS = 60.0
_MAX_CANDIDATES = 900  # of a string, in the mean over the strings of a gradient
CONFIG = Config(
    hidden_layers=(384, 96),
    activation=ACTIVATION,
    dropout=0.1,
    optimizer="adamw",
    learning_rate=0.0003,
    weight_decay=0.01,
    schedule="cosine",
    warmup_epochs=0,
    batch_size=_STRINGS * _MAX_CANDIDATES,
    epochs=3,
    gradient_clip=5.0,
    weight_averaging=0.995,
)

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Candidates:
    """What may be a digit on a string, and which digits are.

    Attributes
    ----------
    digits
        The string, from left to right; None if it is one of letters.
    start, end
        The boundaries between which each candidate stands, shape (n,).
    images
        Each candidate in its context, shape (n, 1568).
    is_cut
        Which ones the network judges, shape (n,).
    known
        What the digits of the others cost, by the recogniser, shape (n, 10).
    shape
        What its shape adds to the cost of each, shape (n,).
    left_out
        What it costs to leave out what stands between two boundaries, shape (boundaries - 1,).
    chosen
        Some that show a digit or none: their places and labels, shape (m, 2).
    """

    digits: tuple[int, ...] | None
    start: npt.NDArray[np.int32]
    end: npt.NDArray[np.int32]
    images: Pixels
    is_cut: npt.NDArray[np.bool_]
    known: Array
    shape: Array
    left_out: Array
    chosen: npt.NDArray[np.int32]


_model = cache(lookup.load_named)


def candidates_of(number: int, hands: Writers) -> Candidates | None:
    """The candidates of a string; None if nothing of it is cut, or it is not on one line."""
    random = np.random.default_rng([4, number])
    lines = list(cut_strings(hands, random))
    if len(lines) != 1 or len(lines[0].page.lines) != 1:
        return None
    (line,) = lines
    chosen = np.array(chosen_candidates(line, random), np.int32).reshape(-1, 2)
    images = line.image.in_context([span.labels for span in line.spans])
    is_cut = np.array([span.is_cut for span in line.spans])
    is_kept = ~is_cut | (cut_probabilities(images)[:, OOD_CLASS] < _SURE)
    if number < VALIDATION.start:
        is_kept[chosen[chosen[:, 1] != OOD_CLASS, 0]] = True
        is_kept |= np.random.default_rng(number).random(len(images)) < _KEPT
    else:
        is_kept[:] = True
    return _kept(line, chosen, images, is_kept)


def _kept(
    line: CutString,
    chosen: npt.NDArray[np.int32],
    images: Pixels,
    is_kept: npt.NDArray[np.bool_],
) -> Candidates:
    unknown = np.full(OOD_CLASS, 1 / OOD_CLASS, np.float32)
    scored = [Scored(span, unknown, 0.5) for span in line.spans]
    lattice = Lattice(line.line, line.page, scored, None)
    is_cut = np.array([span.is_cut for span in line.spans])
    known = np.zeros((len(scored), OOD_CLASS), np.float32)
    whole = np.flatnonzero(~is_cut)
    if whole.size:
        pixels = np.stack([line.page.pixels(line.spans[place]) for place in whole])
        probabilities, ood = recognize(_model("pretrained"), pixels)
        known[whole] = _costs(probabilities * (1 - np.array(ood)[:, np.newaxis]))
    new_places = np.cumsum(is_kept) - 1
    chosen = chosen[is_kept[chosen[:, 0]]]
    return Candidates(
        None if line.labels[0] == OOD_CLASS else tuple(map(int, line.labels)),
        np.array([span.start for span in line.spans], np.int32)[is_kept],
        np.array([span.end for span in line.spans], np.int32)[is_kept],
        images[is_kept],
        is_cut[is_kept],
        known[is_kept],
        np.array([lattice.shape_cost(candidate) for candidate in scored], np.float32)[is_kept],
        np.array(lattice.left_out, np.float32),
        np.stack([new_places[chosen[:, 0]], chosen[:, 1]], axis=1).astype(np.int32),
    )


def _costs(probabilities: npt.NDArray[np.floating]) -> Floats:
    return np.asarray(-np.log(np.maximum(probabilities, MIN_PROBABILITY)), np.float64)


def costs(string: Candidates, probabilities: Array) -> Floats:
    """What each candidate costs as each digit, as in ``numeral_lattice``: shape (n, 10).

    The probabilities are the network's, shape (n, 11).
    """
    none = np.maximum(probabilities[:, OOD_CLASS:], LEAST_OOD)
    judged = _costs(probabilities[:, :OOD_CLASS]) + NONE_WEIGHT * np.log(none)
    by_digit = np.where(string.is_cut[:, np.newaxis], judged, string.known)
    return np.asarray(by_digit + string.shape[:, np.newaxis], np.float64)


def string_loss(string: Candidates, digit_costs: Floats) -> tuple[float, Floats]:
    """Minus the logarithm of the probability of the string, and the gradient by the costs.

    The costs and the gradient have the shape (n, 10). The loss is infinite if no way gives the
    string; the gradient is then useless.
    """
    everything, likely = _all_ways(string, digit_costs, None)
    right, in_right = _all_ways(string, digit_costs, string.digits)
    return everything - right, in_right - likely


def _all_ways(
    string: Candidates, digit_costs: Floats, digits: tuple[int, ...] | None
) -> tuple[float, Floats]:
    """The logarithm of the sum of exp(-cost) over all ways, and how probable each candidate is.

    Over those that give these digits alone, or, without any, over all. The probabilities that a way
    takes a candidate as a digit have the shape (n, 10).
    """
    # The columns are the number of digits so far; one does for all ways.
    step = 0 if digits is None else 1
    columns = 1 if digits is None else len(digits) + 1
    if digits is None:
        weights = np.logaddexp.reduce(-digit_costs, axis=1, keepdims=True)
    else:
        weights = -digit_costs[:, list(digits)]
    last = len(string.left_out)
    starting: list[list[int]] = [[] for _ in range(last)]
    for candidate, start in enumerate(string.start.tolist()):
        starting[start].append(candidate)
    ends = string.end.tolist()
    forward = np.full((last + 1, columns), -np.inf)
    backward = forward.copy()
    forward[0, 0] = backward[last, columns - 1] = 0.0
    for place in range(last):
        here = forward[place, : columns - step]
        after = forward[place + 1]
        np.logaddexp(after, forward[place] - string.left_out[place], out=after)
        for candidate in starting[place]:
            there = forward[ends[candidate], step:]
            np.logaddexp(there, here + weights[candidate], out=there)
    for place in reversed(range(last)):
        here = backward[place, : columns - step]
        backward[place] = backward[place + 1] - string.left_out[place]
        for candidate in starting[place]:
            there = backward[ends[candidate], step:]
            np.logaddexp(here, weights[candidate] + there, out=here)
    total = float(forward[last, columns - 1])
    if not np.isfinite(total):
        return total, np.zeros_like(digit_costs)
    taken = forward[string.start, : columns - step] + weights + backward[string.end, step:]
    probabilities = np.exp(taken - total)
    if digits is None:
        return total, probabilities * np.exp(-digit_costs - weights)
    of_digits = np.eye(OOD_CLASS)[list(digits)]
    return total, probabilities @ of_digits


def logit_gradient(string: Candidates, probabilities: Array) -> tuple[float | None, Array]:
    """The loss of a string, None if it is not learned, and the gradient by the logits.

    The probabilities, shape (n, 11), are the softmax of these logits.
    """
    gradient = np.zeros_like(probabilities)
    loss: float | None = None
    if string.digits is not None:
        loss, by_costs = string_loss(string, costs(string, probabilities))
        loss = loss if loss < _MAX_LOSS else None
        if loss is not None:
            by_costs[~string.is_cut] = 0
            of_all = by_costs.sum(axis=1, keepdims=True).astype(np.float32)
            # The cost of a digit is -log p of it, plus NONE_WEIGHT log p of none.
            of_none = NONE_WEIGHT * of_all * (probabilities[:, OOD_CLASS:] > LEAST_OOD)
            gradient[:, :OOD_CLASS] = -by_costs
            gradient[:, OOD_CLASS:] = of_none
            gradient += (of_all - of_none) * probabilities
    places, labels = string.chosen.T
    if places.size:
        weight = np.float32(_SINGLE_WEIGHT / places.size)
        gradient[places] += weight * probabilities[places]
        gradient[places, labels] -= weight
    return loss, gradient


def train(network: Network, learned: Sequence[Candidates], config: Config = CONFIG) -> Network:
    """Train a network further on whole strings; its running mean, which is better."""
    average = network.like()
    average.parameters[...] = network.parameters
    steps = len(learned) // _STRINGS
    backpropagation = make_backpropagation(config, network, config.batch_size)
    optimizer = make_optimizer(config, network.parameters, network.weight_count)
    averaging = WeightAveraging(network, average, config.weight_averaging or 0.0)
    rates = make_learning_rates(config, steps)
    dropout_random = random_stream(config.seed, "dropout", 0)
    for epoch in range(config.epochs):
        order = random_stream(config.seed, "shuffling", epoch).permutation(len(learned))
        losses: list[float] = []
        for step in tqdm(range(steps), desc=f"epoch {epoch + 1}"):
            batch = [learned[i] for i in order[step * _STRINGS : (step + 1) * _STRINGS]]
            images = np.concatenate([string.images for string in batch])
            if len(images) > config.batch_size:
                continue
            probabilities = _softmax(backpropagation.forward(images, dropout_random))
            gradients, found = [], probabilities
            for string in batch:
                loss, gradient = logit_gradient(string, found[: len(string.images)])
                found = found[len(string.images) :]
                gradients.append(gradient)
                losses += [] if loss is None else [loss]
            # With these targets, the gradient of the mean cross-entropy is the one wanted.
            scale = np.float32(len(images) / _STRINGS)
            backpropagation.backward(probabilities - np.concatenate(gradients) * scale)
            gradient = backpropagation.gradient
            norm = float(np.sqrt(gradient @ gradient))
            gradient *= min(1.0, (config.gradient_clip or norm) / norm)
            optimizer.step(gradient, rates.at(epoch * steps + step))
            averaging.update(epoch * steps + step + 1, steps)
        print(f"epoch {epoch + 1}: mean loss of a string {np.mean(losses):.4f}")
    return average


def _softmax(logits: Array) -> Array:
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True), np.float32)


def read_rightly(network: Network, strings: Iterable[Candidates]) -> tuple[int, int]:
    """On how many of the strings of digits the cheapest way is right, and how many there are."""
    right = count = 0
    for string in strings:
        if string.digits is not None:
            found = cheapest(string, costs(string, network.infer(string.images)[1]))
            right += found == string.digits
            count += 1
    return right, count


def cheapest(string: Candidates, digit_costs: Floats) -> tuple[int, ...]:
    """The digits on the cheapest way."""
    best: list[tuple[float, tuple[int, ...]]] = [(0.0, ())]
    best += [(np.inf, ())] * len(string.left_out)
    for place, left_out in enumerate(string.left_out.tolist()):
        cost, digits = best[place]
        best[place + 1] = min(best[place + 1], (cost + left_out, digits))
        for candidate in np.flatnonzero(string.start == place):
            digit = int(digit_costs[candidate].argmin())
            way = cost + float(digit_costs[candidate, digit]), (*digits, digit)
            end = int(string.end[candidate])
            best[end] = min(best[end], way)
    return best[-1][1]


def _candidates(data_dir: Path, number: int) -> Candidates | None:
    is_validation = number >= VALIDATION.start
    return candidates_of(number, hands_of(data_dir, number, is_validation=is_validation))


def make_strings(data_dir: Path, numbers: range) -> list[Candidates]:
    """The candidates of many strings."""
    with Pool() as pool:
        made = pool.imap(partial(_candidates, data_dir), numbers, chunksize=20)
        return [string for string in tqdm(made, total=len(numbers)) if string is not None]


def main() -> None:
    """Make the strings, and train the network that judges cuts further on them."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--data-dir", type=Path, default=location.default().path)
    data_dir = parser.parse_args().data_dir
    network = cut_network()
    validation = make_strings(data_dir, VALIDATION)
    print("strings right: {} of {}".format(*read_rightly(network, validation)))
    learned = make_strings(data_dir, LEARNED)
    with threadpool_limits(os.cpu_count()):
        network = train(network, learned)
    print("strings right: {} of {}".format(*read_rightly(network, validation)))
    save(network, CUTS_FILE)


if __name__ == "__main__":
    main()
