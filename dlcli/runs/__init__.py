"""Run directories and checkpoints: write, find, lock, resume.

Begin with ``run`` to train, with ``lookup`` to use a model, and with ``resume`` to continue a run.

- ``checkpoint``   a model in an ``.npz`` file: write it, read it, the ``Model``
- ``metadata``     what a checkpoint records about its model, typed and checked
- ``npz``          the arrays of an ``.npz`` file in which nothing is trusted
- ``lookup``       the model that a name stands for
- ``initial_model``  the trained model that training starts from
- ``training_data``  the dataset that a model was trained on, wherever it is now
- ``training_images``  what the images of a dataset look like
- ``directory``    run directories: their files, the lock, the link ``latest``
- ``run``          a run that is being trained
- ``resume``       what resuming needs, and what it may change
- ``interrupts``   Ctrl-C and SIGTERM, held back while files are written
- ``film``         ``film.npz``: weights and confusion matrices of up to 20 epochs
- ``metrics_log``  ``metrics.jsonl``, a line for each epoch
- ``summary``      ``summary.json``, how a run ended
- ``listing``      the runs in a folder
- ``selection``    which of them are listed, and in what order
- ``removal``      remove a run
- ``strict_json``  JSON without NaN and Infinity, which the standard does not have

``old_optimizer_state`` converts what older checkpoints hold. ``pretrained/`` is the model that
comes with dlcli.
"""
