"""Gradient descent over epochs; touches no disk and prints nothing.

- ``builders``       from a config to a network, an optimiser and learning rates
- ``state``          what training changes, and the rules that end it
- ``loop``           ``fit()``: yields a record of each epoch
- ``epoch_metrics``  the record of an epoch and its running means
- ``kept_epoch``     which epoch is kept
- ``divergence``     when training diverged, and what to do about it
"""
