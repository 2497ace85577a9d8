"""Write what of the documentation is made from the code, or with --check tell which of it is out of date."""

from pathlib import Path
import sys

import _asyncapi
from _device_pages import descriptions, device_pages
import _openapi

REFERENCE = Path("docs/reference")


def made() -> dict[Path, str]:
    """Every file that is made."""
    devices = {str(told["device_id"]): told for told in descriptions().values()}
    return {
        **device_pages(),
        REFERENCE / "asyncapi.yaml": _asyncapi.document(),
        REFERENCE / "openapi.json": _openapi.document(devices),
    }


def main() -> int:
    """Write or check; gives the exit code."""
    files = made()
    wrong = [file for file, text in files.items() if not file.exists() or file.read_text() != text]
    if "--check" in sys.argv:
        for file in wrong:
            print(f"{file} is not as the code says; run script/docs")
        return 1 if wrong else 0
    for file in wrong:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(files[file])
        print(f"wrote {file}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
