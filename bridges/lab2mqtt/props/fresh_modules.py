"""Importing a worker's package anew from its sources, as often as it changes, beside others in other threads.

A prop's folder becomes the package ``props.<prop>``, so that ``backend/worker.py`` is
``props.<prop>.backend.worker``, with ``__init__.py`` or without. A built-in gets a package of its own over
its whole folder, ``builtin_workers.<name>``: what several import from beside them is each one's own copy.
"""

from collections.abc import Iterator, Sequence
import contextlib
import importlib
from importlib.abc import MetaPathFinder
from importlib.machinery import (
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    ModuleSpec,
    SourceFileLoader,
)
from importlib.util import spec_from_file_location
from pathlib import Path
import sys
import threading
from types import CodeType, ModuleType

TOPS = ("props", "builtin_workers")

_lock = threading.Lock()
_tops: dict[str, ModuleType] = {}
_packages: dict[str, Path] = {}  # name → folder
_busy: set[str] = set()  # those that are being imported, or hang in it


class _Source(SourceFileLoader):
    """Compiles each time: a .pyc file does not tell two changes within one second apart."""

    def get_code(self, fullname: str) -> CodeType:
        file = self.get_filename(fullname)
        code: CodeType = self.source_to_code(self.get_data(file), file)
        return code


class _Finder(MetaPathFinder):
    """Finds what lies under a package of ours."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec of a module in one of the folders, else None."""
        del target
        if path is None or fullname.partition(".")[0] not in TOPS:
            return None
        if folder := _packages.get(fullname):
            return _package(fullname, folder)
        for entry in path:
            # A finder that lasts would remember what the folder held.
            kinds = (ExtensionFileLoader, EXTENSION_SUFFIXES), (_Source, SOURCE_SUFFIXES)
            if spec := FileFinder(entry, *kinds).find_spec(fullname):
                return spec
        return None


def _package(name: str, folder: Path) -> ModuleSpec | None:
    start = folder / "__init__.py"
    if start.is_file():
        source = _Source(name, str(start))
        return spec_from_file_location(name, start, loader=source, submodule_search_locations=[str(folder)])
    spec = ModuleSpec(name, None, is_package=True)
    spec.submodule_search_locations = [str(folder)]
    return spec


_finder = _Finder()


def import_anew(top: str, name: str, folder: Path, module: str) -> ModuleType:
    """Import a module of a package; what was imported of that package before is forgotten.

    Args:
        top: ``props`` or ``builtin_workers``.
        name: Of the package, below that.
        folder: Where the package is.
        module: The module, below the package.

    Raises:
        BaseException: Whatever the module raises.
    """
    # A dot in the name of a folder would be a level of packages.
    wanted = f"{top}.{name.replace('%', '%25').replace('.', '%2E')}"
    with _claimed(wanted, folder) as package:
        return importlib.import_module(f"{package}.{module}")


@contextlib.contextmanager
def _claimed(wanted: str, folder: Path) -> Iterator[str]:
    """A package that nobody else imports at this time; gives its name.

    One that hangs holds the locks of its modules for ever: the next attempt goes by another name.
    """
    number = 1
    with _lock:
        if _finder not in sys.meta_path:
            sys.meta_path.insert(0, _finder)
        _know_top(wanted.partition(".")[0], folder.parent)
        package = wanted
        while package in _busy:
            number += 1
            package = f"{wanted}~{number}"
        if package in _packages:
            for one in [*sys.modules]:
                if one == package or one.startswith(f"{package}."):
                    del sys.modules[one]
        _packages[package] = folder
        _busy.add(package)
    try:
        yield package
    finally:
        with _lock:
            _busy.discard(package)


def _know_top(top: str, folder: Path) -> None:
    """The package that all are in. Its own ``__init__.py`` is not run: that of one root would serve all."""
    if top not in _tops:
        _tops[top] = ModuleType(top)
        _tops[top].__path__ = []
    sys.modules[top] = _tops[top]
    if top == "props" and str(folder) not in _tops[top].__path__:
        _tops[top].__path__.append(str(folder))
