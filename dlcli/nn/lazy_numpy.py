"""NumPy, imported when the first of its functions is used.

The config takes its choices from the tables of this package (``ACTIVATIONS``, ``LOSSES``, ...).
So that ``dlcli --help`` and config errors need not wait for NumPy, the modules with those
tables write ``from dlcli.nn.lazy_numpy import np`` instead of ``import numpy as np``. Each
attribute is looked up once and then kept, which makes later uses as fast as usual.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__all__ = ["np"]

if TYPE_CHECKING:
    import numpy as np
else:

    class _LazyNumpy:
        def __getattr__(self, name: str) -> Any:
            value = getattr(import_module("numpy"), name)
            setattr(self, name, value)
            return value

    np = _LazyNumpy()
