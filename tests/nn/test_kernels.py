"""Every pass gives the same bits by NumPy and by Numba, alone and in whole trainings."""

import itertools
import sys
import threading

import numpy as np
import pytest

from dlcli.config.augmentation import Augmentation
from dlcli.config.schema import Config
from dlcli.data import datasets
from dlcli.nn import compilation
from dlcli.nn.activations import ACTIVATIONS, OUTPUT_ACTIVATIONS
from dlcli.nn.kernels import KERNELS, NUMPY
from dlcli.nn.losses import LOSSES, fits
from dlcli.nn.optimizers import OPTIMIZERS
from dlcli.training import loop
from dlcli.training.loop import fit
from dlcli.training.state import initial_state

LOOPS = [name for name, kernel in KERNELS.items() if kernel.loop is not None]


@pytest.fixture(scope="module")
def numba(tmp_path_factory):
    """All kernels, compiled once for these tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("numba.config.CACHE_DIR", str(tmp_path_factory.mktemp("numba")))
        found = compilation.compiled()
        assert found is not None
        for name in LOOPS:
            found[name]
    return found


def values(*shape, seed=0):
    """Numbers of every size, with zeros, subnormal ones and ties."""
    random = np.random.default_rng(seed)
    found = random.standard_normal(shape) * 10.0 ** random.integers(-44, 15, shape)
    found[random.random(shape) < 0.2] = 0
    return found.astype(np.float32)


def arguments(name, rows, columns=33):
    """What a kernel gets in training, for so many images and neurons."""
    pixels, random = rows * 40, np.random.default_rng(rows)
    hidden, by_class = values(rows, columns, seed=1), values(10, rows, seed=2).T
    parameters, gradient, scratch, first, second = (values(pixels, seed=seed) for seed in range(5))
    step = [parameters, gradient, scratch, 0.01]
    betas = (0.9, 1 - 0.9, 0.999, 1 - 0.999)
    images = random.integers(0, 256, (rows, 30, 30), np.uint8)
    quads, points = np.empty((rows, 29, 29, 4), np.uint8), random.uniform(0, 28, (2, rows, 50))
    points[:, :, ::7] = points[:, :, ::7].round()  # some lie on a pixel
    levels = random.integers(0, 256, (rows, 50), np.uint8)
    tables = random.integers(0, 256, (2, 256), np.uint8)
    found = {
        "interpolate": [images, quads, points.astype(np.float32), np.empty_like(levels)],
        "look_up": [tables, np.arange(rows) % 2, levels],
        "scale_pixels": [random.integers(0, 256, (rows, 784), np.uint8), values(rows, 784)],
        "draw_mask": [random.integers(0, 1 << 16, pixels, np.uint16), 20_000, 1.44, first],
        "shift": [by_class, by_class.copy()],
        "softmax_error": [np.abs(by_class) + np.float32(0.1), by_class.copy(), by_class.copy()],
        "backward": [hidden, values(rows, columns, seed=3), np.empty(columns, np.float32)],
        "add_penalty": [gradient, parameters, 0.01, scratch],
        "gradient_step": step,
        "momentum_step": [*step, first, 0.9],
        "nesterov_step": [*step, first, 0.9],
        "adam_step": [*step, first, np.abs(second), betas, 1e-8],
        "flush_subnormals": [values(pixels, seed=5)],
    }
    return found.get(name, [hidden, values(columns, seed=4), np.empty_like(hidden)])


def computed(name, rows, kernel, columns=33):
    """The arrays of a kernel's arguments after it ran, but for those it may use as scratch."""
    given = arguments(name, rows, columns)
    with np.errstate(all="ignore"):
        kernel(*given)
    arrays = [array for array in given if isinstance(array, np.ndarray)]
    if name.endswith(("step", "penalty")):
        del arrays[2]
    if name == "interpolate":
        del arrays[1]
    return arrays


@pytest.mark.parametrize("columns", [1, 33])
@pytest.mark.parametrize("rows", [1, 2, 9, 128])
@pytest.mark.parametrize("name", LOOPS)
def test_numba_gives_the_bits_of_numpy(numba, name, rows, columns):
    expected = computed(name, rows, NUMPY[name], columns)
    found = computed(name, rows, numba[name], columns)
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", LOOPS)
def test_what_is_compiled_is_a_loop_that_python_can_run(name):
    """Python computes some of it with more digits, so that they only agree to rounding."""
    loop_ = KERNELS[name].loop
    assert loop_ is not None
    for one, other in zip(computed(name, 2, NUMPY[name]), computed(name, 2, loop_), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-30)


PAIRS = [pair for pair in itertools.product(LOSSES, OUTPUT_ACTIVATIONS) if fits(*pair)]
TRAININGS = [
    *({"activation": name} for name in ACTIVATIONS),
    *({"loss": loss, "output_activation": output} for loss, output in PAIRS),
    *({"optimizer": name, "weight_decay": 0.01} for name in OPTIMIZERS),
    {"momentum": 0.0, "label_smoothing": 0.1, "mixup": 0.5},
    {"momentum": 0.9, "nesterov": True, "gradient_clip": 0.1},
    {"dropout": 0.3, "input_dropout": 0.2, "weight_averaging": 0.9, "max_norm": 1.0},
    {"batch_norm": True, "optimizer": "adam", "gradient_clip": 0.1},
    {"class_weights": "balanced", "batch_size": 7},
    {"batch_size": 1, "hidden_layers": (9, 1, 9)},
    {"augmentation": Augmentation(rotation=10, shift=1, elastic_alpha=30, gamma=0.5)},
]


@pytest.mark.parametrize("settings", TRAININGS, ids=str)
def test_a_training_ends_with_the_same_bits_with_numba(numba, settings, tiny, monkeypatch):
    usual = {"hidden_layers": (12, 9), "batch_size": 16, "epochs": 2, "learning_rate": 0.01}
    config, data = Config(**usual | settings), datasets.load(str(tiny))
    ends = []
    for found in (None, numba):
        monkeypatch.setattr(compilation, "compiled", lambda found=found: found)
        monkeypatch.setattr(loop, "_WORTH_COMPILING", 0)
        state = initial_state(config, 10)
        list(fit(config, data.train, data.test, state))
        assert (state.optimizer.kernels is numba) == (found is numba)
        ends.append({name: array.tobytes() for name, array in state.arrays().items()})
    assert ends[0] == ends[1]


def test_compiling_leaves_signals_to_the_main_thread(monkeypatch):
    threads = []
    monkeypatch.setattr(
        compilation, "_compile", lambda *_: threads.append(threading.current_thread())
    )
    compilation.Compiled()["relu"]
    assert threads[0] is not threading.main_thread()


def test_what_was_compiled_is_kept_in_the_users_cache(tmp_path, monkeypatch):
    monkeypatch.setattr("numba.config.CACHE_DIR", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    found = compilation.compiled()
    assert found is not None
    found["draw_mask"]
    assert list(tmp_path.glob("dlcli/numba/*/*draw_mask*.nbi"))


def test_without_a_folder_to_keep_it_in_it_is_compiled_all_the_same(monkeypatch):
    import numba

    compile_anyway = numba.njit

    def no_folder(*types, cache, **options):
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return compile_anyway(*types, **options)

    monkeypatch.setattr("numba.njit", no_folder)
    mask = np.empty(2, np.float32)
    compilation.Compiled()["draw_mask"](np.array([1, 3], np.uint16), 2, 1.5, mask)
    assert mask.tolist() == [0, 1.5]


def test_without_numba_numpy_does_everything(monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)
    assert compilation.compiled() is None
