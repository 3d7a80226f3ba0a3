"""The film of a run: its epochs, and that it is the same after a resumption."""

import io
from typing import Any

import msgspec
import numpy as np
import pytest

from dlcli.errors import CheckpointError
from dlcli.runs import directory, film, resume
from dlcli.runs.directory import FILM
from dlcli.runs.run import Run
from dlcli.training.state import initial_state
from dlcli.training.threads import Threads
from tests.runs.small_runs import CONFIG, start, train


def test_the_film_begins_with_the_random_start_and_ends_with_the_last_epoch(tmp_path, dataset):
    run, state = start(tmp_path / "run", dataset)
    before = state.network.weights[0].T.copy()
    train(run, state)
    run.finish(state)
    frames = film.read(run.path)
    assert [frame.epoch for frame in frames] == [0, 1, 2, 3, 4]
    assert frames[0].confusion is None
    for frame, weights in ((frames[0], before), (frames[-1], state.network.weights[0].T)):
        np.testing.assert_allclose(frame.weights, weights, rtol=1e-3, atol=1e-6)
    assert [f.confusion.sum() for f in frames if f.confusion is not None] == [10] * 4
    assert (frames[-1].confusion == state.confusion).all()


def test_the_confusion_matrix_is_that_of_the_validation_images(tmp_path, dataset):
    run, state = start(tmp_path / "run", dataset)
    (*_, record) = train(run, state)
    confusion = film.read(run.path)[-1].confusion
    assert confusion is not None
    assert record.validation_accuracy is not None
    assert np.trace(confusion) == round(10 * record.validation_accuracy)


@pytest.mark.parametrize("latest", [0, 1, 5, 16, 17, 40, 100, 999, 1_000, 65_536, 100_000])
def test_a_film_has_at_most_20_epochs_with_the_first_and_the_last(latest):
    kept = film.kept_epochs(latest)
    assert len(kept) <= film.MAX_FRAMES
    assert {0, min(1, latest), latest} <= kept
    if latest > 20:
        assert max(np.diff(sorted(kept))) <= latest / 2


def test_what_is_kept_later_was_kept_before():
    kept: set[int] = set()
    for epoch in range(3_000):
        if film.is_kept(epoch):
            kept = (kept & film.kept_epochs(epoch)) | {epoch}
        assert film.kept_epochs(epoch) <= kept | {epoch}


@pytest.mark.parametrize("epochs", [2, 19, 30])
def test_a_resumed_run_has_the_film_of_one_that_was_never_stopped(tmp_path, dataset, epochs):
    config = msgspec.structs.replace(CONFIG, epochs=32)
    whole, state = start(tmp_path / "whole", dataset, config)
    train(whole, state)
    whole.finish(state)
    parts, state = start(tmp_path / "parts", dataset, config)
    train(parts, state, epochs)
    saved = resume.read(parts.path)
    again = Run(parts.path, config, dataset, Threads([1]))
    again.resume(saved.state)
    train(again, saved.state)
    again.finish(saved.state)
    assert (whole.path / FILM).read_bytes() == (parts.path / FILM).read_bytes()


def test_frames_after_the_saved_epoch_are_cut(tmp_path, dataset):
    """A crash may come between the frame and the checkpoint of an epoch."""
    run, state = start(tmp_path / "run", dataset)
    train(run, state)
    film.cut(run.path, 2)
    assert [frame.epoch for frame in film.read(run.path)] == [0, 1, 2]


def test_a_run_of_an_older_version_has_no_film_and_gets_one(tmp_path, dataset):
    run, state = start(tmp_path / "run", dataset)
    train(run, state, 2)
    (run.path / FILM).unlink()
    assert film.read(run.path) == []
    run.resume(state)
    train(run, state)
    assert [frame.epoch for frame in film.read(run.path)] == [3, 4]


def test_a_damaged_film_begins_anew_and_the_run_is_resumed(tmp_path, dataset):
    run, state = start(tmp_path / "run", dataset)
    train(run, state, 2)
    (run.path / FILM).write_bytes(b"")
    with resume.opened(run.path, (), ()) as opened:
        assert isinstance(opened, resume.Resumption)
        (warning,) = opened.warnings(1)
        assert warning.startswith(f"{run.path / FILM}: ")
        assert warning.endswith("; the film begins anew")
        again, state = opened.start(dataset, Threads([1])), opened.saved.state
        train(again, state)
    assert [frame.epoch for frame in film.read(run.path)] == [3, 4]


def test_a_film_that_cannot_be_read_at_the_moment_stays_as_it_is(tmp_path, dataset):
    """As where too many files are open; it would be lost if the run went on without it."""
    run, state = start(tmp_path / "run", dataset)
    train(run, state, 2)
    (run.path / FILM).unlink()
    (run.path / FILM).mkdir()
    with resume.opened(run.path, (), ()) as opened:
        assert isinstance(opened, resume.Resumption)
        with pytest.raises(CheckpointError, match=r"film\.npz: cannot be read: Is a dir"):
            opened.warnings(1)
        with pytest.raises(CheckpointError, match="cannot be read"):
            opened.start(dataset, Threads([1]))
    assert (run.path / FILM).is_dir()


def test_a_new_run_in_an_abandoned_folder_does_not_read_its_film(tmp_path, dataset):
    """As where the computer stopped before the film, which is not flushed, was on the disk."""
    path = directory.create(tmp_path, "run", "")
    for name in (directory.LOCK, directory.CONFIG, FILM):
        (path / name).touch()
    assert directory.create(tmp_path, "run", "") == path
    Run(path, CONFIG, dataset, Threads([1])).start(initial_state(CONFIG, 10))
    assert [frame.epoch for frame in film.read(path)] == [0]


def test_the_last_frame_is_whole_if_the_run_was_killed_before_its_end(tmp_path, dataset):
    config = msgspec.structs.replace(CONFIG, epochs=21)
    run, state = start(tmp_path / "run", dataset, config)
    train(run, state)
    saved = resume.read(run.path)
    Run(run.path, config, dataset, Threads([1])).finish(saved.state)
    last = film.read(run.path)[-1]
    assert last.epoch == 21
    assert last.confusion is not None


def test_a_run_that_is_resumed_with_no_epoch_left_has_its_last_epoch_in_the_film(tmp_path, dataset):
    config = msgspec.structs.replace(CONFIG, epochs=32)
    run, state = start(tmp_path / "run", dataset, config)
    train(run, state, 21)
    assert film.read(run.path)[-1].epoch == 20
    with resume.opened(run.path, (), ["epochs=21"]) as opened:
        assert isinstance(opened, resume.Resumption)
        again, state = opened.start(dataset, Threads([1])), opened.saved.state
        assert train(again, state) == []
        again.finish(state)
    assert film.read(run.path)[-1].epoch == 21


def arrays(**changes: Any) -> bytes:
    usual: dict[str, Any] = {
        "epochs": np.array([0, 1], np.int32),
        "weights": np.zeros((2, 3, 784), np.float16),
        "confusion": np.zeros((2, 10, 10), np.int32),
    }
    file = io.BytesIO()
    arrays = {name: x for name, x in (usual | changes).items() if x is not None}
    np.savez(file, **arrays)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no film", "not a whole"),
        (arrays(weights=None), "weights: missing"),
        (arrays(weights=np.zeros((2, 3, 784))), "not as dlcli writes it"),
        (arrays(weights=np.zeros((2, 200, 784), np.float16)), "larger than any film has"),
        (arrays(weights=np.full((2, 3, 784), np.inf, np.float16)), "not finite"),
        (arrays(epochs=np.array([1, 1], np.int32)), "out of order"),
        (arrays(epochs=np.array([0, 1, 2], np.int32)), "do not fit together"),
        (arrays(weights=np.zeros((2, 3, 783), np.float16)), "do not fit together"),
        (arrays(confusion=np.zeros((2, 10, 9), np.int32)), "do not fit together"),
    ],
)
def test_a_damaged_film_is_refused_with_a_remedy(tmp_path, content, message):
    (tmp_path / FILM).write_bytes(content)
    with pytest.raises(CheckpointError, match=rf"film\.npz: .*{message}.*; remove it"):
        film.read(tmp_path)
