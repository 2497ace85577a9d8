"""What we give to a Home Assistant: our integration and our blueprints."""

from pathlib import Path


def folders() -> dict[str, Path]:
    """Their folders, by where in a configuration folder they belong, such as "blueprints/script/lab2mqtt"."""
    packed = Path(__file__).parents[1] / "home_assistant"
    root = packed if packed.is_dir() else Path(__file__).parents[3]
    patterns = ("custom_components/lab2mqtt", "blueprints/*/lab2mqtt")
    return {str(path.relative_to(root)): path for pattern in patterns for path in sorted(root.glob(pattern))}
