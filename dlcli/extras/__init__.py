"""Optional features, each in a module of its own, imported only when asked for."""

from importlib.util import find_spec

from dlcli.errors import ConfigError


def require(extra: str, module: str) -> None:
    """Raise unless ``module``, which the extra brings, is installed.

    Raises
    ------
    ConfigError
        Saying how to install it.
    """
    if find_spec(module) is None:
        raise ConfigError(
            f"this needs {module}, which is not installed; install it with: "
            f"python -m pip install 'dlcli[{extra}]'"
        )
