"""Small runs, started and trained."""

from dlcli.config.schema import Config
from dlcli.data.splits import split_validation
from dlcli.runs.run import Run
from dlcli.training.epoch_metrics import EpochRecord
from dlcli.training.loop import fit
from dlcli.training.state import initial_state
from dlcli.training.threads import Threads

CONFIG = Config(
    hidden_layers=(6,),
    batch_size=16,
    epochs=4,
    dropout=0.3,
    input_dropout=0.1,
    learning_rate=0.05,
    validation_size=10,
    schedule="cosine",
)


def start(folder, dataset, config=CONFIG):
    folder.mkdir()
    run, state = Run(folder, config, dataset, Threads([1])), initial_state(config, 10)
    run.start(state)
    return run, state


def train(run: Run, state, epochs: int | None = None) -> list[EpochRecord]:
    """Train a run on, for some epochs or to its end, storing each."""
    learn, validate = split_validation(run.dataset.train, 10, run.config.seed)
    records = []
    for record in fit(run.config, learn, validate, state):
        run.record(state, record)
        records.append(record)
        if len(records) == epochs:
            break
    return records
