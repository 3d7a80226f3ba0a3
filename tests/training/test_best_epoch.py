"""Which epoch of a training is the best."""

from dlcli.data.examples import Examples
from dlcli.nn.temperature import fit_temperature
from dlcli.training.loop import fit
from dlcli.training.state import initial_state
from tests.training.trainings import NOTHING, small, train


def test_the_best_epoch_has_the_most_right_answers_and_among_equals_the_least_loss(data):
    config = small(epochs=25, learning_rate=0.3, batch_size=10, dropout=0.5, hidden_layers=(6,))
    state = initial_state(config, 10)
    records, flags = [], []
    for record in fit(config, data.train, data.test, state):
        records.append(record)
        flags.append(state.is_best)
        best = max(records, key=lambda r: (r.validation_accuracy or 0, -(r.validation_loss or 0)))
        assert state.best_epoch == best.epoch
        assert (state.best_accuracy, state.best_loss) == (
            best.validation_accuracy,
            best.validation_loss,
        )
    assert set(flags) == {True, False}


def test_the_best_epoch_may_be_that_of_the_least_loss(data):
    # Half of the labels are wrong, so a higher accuracy comes with a higher loss.
    labels = data.test.labels.copy()
    labels[::2] = (labels[::2] + 1) % 10
    doubtful = Examples(data.test.images, labels)
    config = small(epochs=25, keep="best_loss")
    records, state = train(config, data, validation=doubtful)
    best = min(records, key=lambda r: r.validation_loss)
    assert (state.best_epoch, state.best_loss) == (best.epoch, best.validation_loss)
    assert state.best_accuracy == best.validation_accuracy
    _, other = train(small(epochs=25), data, validation=doubtful)
    assert other.best_epoch != state.best_epoch
    assert other.network.parameters.tobytes() == state.network.parameters.tobytes()


def test_the_last_epoch_may_be_kept_with_any_scores(data):
    config = small(epochs=25, learning_rate=0.3, batch_size=10, dropout=0.5, keep="last")
    state = initial_state(config, 10)
    for record in fit(config, data.train, data.test, state):
        assert state.is_best
        assert state.best_accuracy == record.validation_accuracy
        logits, _ = state.network.infer(data.test.images)
        assert state.temperature == fit_temperature(logits, data.test.labels)


def test_an_epoch_that_is_only_as_good_as_the_best_is_no_better(data):
    records, state = train(small(learning_rate=1e-30, early_stopping=2), data)
    assert len({(r.validation_accuracy, r.validation_loss) for r in records}) == 1
    assert (state.best_epoch, state.epoch) == (1, 3)


def test_without_validation_images_the_latest_epoch_is_the_best(data):
    config = small(epochs=3)
    state = initial_state(config, 10)
    for record in fit(config, data.train, NOTHING, state):
        assert record.validation_loss is record.validation_accuracy is None
        assert state.is_best
    assert state.best_epoch == state.epoch == 3
