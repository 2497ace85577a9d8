"""Props as people write them, on the disk."""

from pathlib import Path
import textwrap

from lab2mqtt.props.finding import Found

PLAIN = """
    from lab2mqtt.props import BaseWorker

    class Worker(BaseWorker):
        pass
"""


class PropsFolder:
    """A folder of props, which are written by calling it.

    Args:
        root: The folder.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def __call__(self, worker: str = PLAIN, name: str = "witch", **files: str) -> Found:
        """Write a prop.

        Args:
            worker: Its worker.py.
            name: Its folder's.
            **files: Further files of its backend by their names, ``__`` for the dot.
        """
        backend = self._root / name / "backend"
        backend.mkdir(parents=True, exist_ok=True)
        for file, text in ({"worker__py": worker} | files).items():
            (backend / file.replace("__", ".")).write_text(textwrap.dedent(text), encoding="utf-8")
        return Found(name, backend / "worker.py", "prop")
