"""What HACS and the Marketplace want of the repository around an integration."""

from collections.abc import Iterator
from pathlib import Path
import re
import struct
import zlib

from tests.unit.integration_files.integration import Integration, load_json, misfits
import voluptuous as vol

HACS = vol.Schema(
    {
        vol.Required("name"): vol.All(str, vol.Length(min=1)),
        vol.Optional("content_in_root"): bool,
        vol.Optional("country"): vol.Any(str, [str]),
        vol.Optional("filename"): str,
        vol.Optional("hacs"): str,
        vol.Optional("hide_default_branch"): bool,
        vol.Optional("homeassistant"): vol.Match(
            r"^\d{4}\.\d{1,2}\.\d+$", msg="is no version such as 2025.4.0"
        ),
        vol.Optional("persistent_directory"): str,
        vol.Optional("render_readme"): bool,
        vol.Optional("zip_release"): bool,
    }
)
ICON_SIZES = {"icon.png": 256, "icon@2x.png": 512}
LOGO_SIZES = {"logo.png": (128, 256), "logo@2x.png": (256, 512)}  # of the shorter side
PNG = b"\x89PNG\r\n\x1a\n"


def repository_problems(root: Path) -> Iterator[str]:
    """Of the repository of a folder custom_components."""
    yield from _hacs_problems(root)
    for name, least in (("README.md", 500), ("LICENSE", 500)):
        file = root / name
        if not file.is_file() or len(file.read_text(encoding="utf-8")) < least:
            yield f"{name}: there is none, or it says next to nothing"
    integrations = sorted(file.parent.name for file in (root / "custom_components").glob("*/manifest.json"))
    folders = sorted(
        folder.name
        for folder in (root / "custom_components").glob("*/")
        if folder.is_dir() and folder.name != "__pycache__"
    )
    if folders != integrations or len(integrations) != 1:
        yield f"custom_components: a repository has one integration, and not {', '.join(folders) or 'none'}"
    # hassfest takes every file of this name for an integration.
    for manifest in manifests(root):
        if manifest.parent.parent != root / "custom_components":
            yield f"{manifest.relative_to(root).as_posix()}: only the integration has a file of this name"
    for name in integrations:
        yield from _brand_problems(root / "custom_components" / name / "brand")


def _hacs_problems(root: Path) -> Iterator[str]:
    try:
        told = load_json(root / "hacs.json")
    except (OSError, ValueError) as wrong:
        yield f"hacs.json: {wrong}"
        return
    yield from misfits("hacs.json", HACS, told)
    if isinstance(told, dict) and told.get("zip_release") and not told.get("filename"):
        yield "hacs.json: zip_release needs a filename"


def manifests(root: Path) -> Iterator[Path]:
    """Every file manifest.json that a checkout has: what is hidden or installed is not looked into."""
    for entry in sorted(root.iterdir()):
        if entry.is_dir() and not entry.is_symlink():
            if not entry.name.startswith(".") and entry.name not in {"node_modules", "test-results"}:
                yield from manifests(entry)
        elif entry.name == "manifest.json":
            yield entry


def _brand_problems(brand: Path) -> Iterator[str]:
    if not (brand / "icon.png").is_file():
        yield "brand/icon.png: there is none"
    for file in sorted(brand.glob("*")):
        name = f"brand/{file.name}"
        kind = file.name.removeprefix("dark_")
        if kind not in {*ICON_SIZES, *LOGO_SIZES}:
            yield f"{name}: Home Assistant shows no image of this name"
            continue
        size = png_size(file)
        if size is None:
            yield f"{name}: is no PNG"
        elif kind in ICON_SIZES and set(size) != {ICON_SIZES[kind]}:
            yield f"{name}: is {size[0]} by {size[1]}, and both should be {ICON_SIZES[kind]}"
        elif kind in LOGO_SIZES and not LOGO_SIZES[kind][0] <= min(size) <= LOGO_SIZES[kind][1]:
            least, most = LOGO_SIZES[kind]
            yield f"{name}: the shorter side is {min(size)}, and should be {least} to {most}"


def png_size(file: Path) -> tuple[int, int] | None:
    """Width and height; None if the file is no whole PNG."""
    data = file.read_bytes()
    if not data.startswith(PNG + struct.pack(">I4s", 13, b"IHDR")) or len(data) < 33:
        return None
    [told] = struct.unpack(">I", data[29:33])
    if zlib.crc32(data[12:29]) != told or b"IEND" not in data[-12:]:
        return None
    width, height = struct.unpack(">II", data[16:24])
    return width, height


def copy_problems(integration: Integration) -> Iterator[str]:
    """Of what the integration shares with the Python package of the same repository."""
    package = integration.folder.parents[1] / "bridges" / "lab2mqtt"
    if integration.source("wire.py") != (package / "wire.py").read_bytes().decode():
        yield "wire.py: is not that of the bridges, byte for byte"
    told = re.search(r'^__version__ = "(.+)"$', (package / "__init__.py").read_text(), re.MULTILINE)
    if told is None or integration.manifest.get("version") != told[1]:
        yield f"manifest.json: the version is not {told[1] if told else 'told'}, as of the bridges"
