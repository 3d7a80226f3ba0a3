"""Gradient descent over epochs; touches no disk and prints nothing.

- ``builders``       a network, an optimiser and learning rates from a config
- ``state``          what training changes, and the rules that end it
- ``batches``        the batches of an epoch
- ``fewer_inputs``   without pixels that are always 0, and at half the size
- ``class_weights``  the weight of each class in the cost
- ``loop``           ``fit()``: yields a record of each epoch
- ``threads``        how many threads compute: pinned, or as many as are fastest now
- ``learning_rate_finder``  the range test
- ``epoch_metrics``  the record of an epoch and its running means
- ``layer_metrics``  how each layer learns: gradients, updates, dead and saturated neurons
- ``kept_epoch``     which epoch is kept
- ``divergence``     when training has diverged
- ``measurements``   what can be measured of a network that does not learn
- ``diagnosis``      why it learned nothing or diverged, and what to change
"""
