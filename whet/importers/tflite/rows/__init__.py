"""How each TFLite operator becomes nodes of the graph: one small function an operator, one family
a file.
"""

from importlib import import_module
from pkgutil import iter_modules


def load_all() -> None:
    """Import every file of rows, which registers them."""
    for module in iter_modules(__path__):
        import_module(f"{__name__}.{module.name}")
