"""The original's modules, as names of ours, so that files that import them load unchanged."""

from collections.abc import Sequence
import importlib
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
import pkgutil
import sys
import threading
from types import ModuleType

NAME = "worker_host"
_BUILTINS = f"{NAME}.builtin_workers"
_OURS = "lab2mqtt.props"
_OUR_BUILTINS = f"{_OURS}.builtin"

_lock = threading.Lock()


class _Alias(MetaPathFinder, Loader):
    """Asked last of all, so that an installed ``worker_host`` goes first. It finds modules and makes them."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec of a module that stands for one of ours, else None."""
        del path, target
        of_ours = {NAME: _OURS, f"{NAME}.base": f"{_OURS}.base", _BUILTINS: _OUR_BUILTINS}.get(fullname)
        parent, _, builtin = fullname.rpartition(".")
        if parent == _BUILTINS and builtin in _builtins():
            of_ours = f"{_OUR_BUILTINS}.{builtin}"
        if of_ours is None:
            return None
        return ModuleSpec(fullname, self, origin=of_ours, is_package=fullname in (NAME, _BUILTINS))

    def exec_module(self, module: ModuleType) -> None:
        """Give it the names of ours, the very same classes."""
        spec = module.__spec__
        ours = importlib.import_module(spec.origin or "") if spec else module
        names = {name: value for name, value in vars(ours).items() if not name.startswith("__")}
        vars(module).update(names)


_alias = _Alias()


def _builtins() -> list[str]:
    found = pkgutil.iter_modules(importlib.import_module(_OUR_BUILTINS).__path__)
    return [one.name for one in found if not one.name.startswith("_")]


def make_importable() -> None:
    """Let ``from worker_host.base import BaseWorker`` give ours, unless such a package is installed."""
    with _lock:
        if _alias not in sys.meta_path:
            sys.meta_path.append(_alias)
