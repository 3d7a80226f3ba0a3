"""Event files for TensorBoard (``dlcli train --tensorboard``, the extra ``tensorboard``).

- ``event_log``  writes scores, histograms of weights and a picture of the first layer
"""
