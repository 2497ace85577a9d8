"""What stands in a unit of systemd, and whether it still stands there as it was written."""

from dataclasses import dataclass
import hashlib
from pathlib import Path
import re

from lab2mqtt.core.errors import Misconfigured

HEADER = "# Written by `lab2mqtt service install`. What you change belongs into `systemctl edit`. sha256:"
HOMES = (Path("/home"), Path("/root"), Path("/run/user"))

# Where the driver of a serial port lives: its devices are known to the kernel only once it is loaded.
_MODULES = {"ttyUSB": "usbserial", "ttyACM": "cdc_acm"}
_PORT = re.compile(r"/dev/(tty[A-Z]+)\d+")
_PLAIN = re.compile(r"[^\s\"'\\]+")

_SERVICE = """\
# Started when the broker has it online. Where the broker is away, after 20 s all the same: a start that waits
# for it would hold up the boot, or be given up. `systemctl status` tells which it is.
Type=notify
NotifyAccess=main
TimeoutStartSec=90
# Who hangs is ended with what each thread was doing in the journal, and started anew.
WatchdogSec=30
Environment=PYTHONFAULTHANDLER=1
Restart=on-failure
RestartSec=5
# 2: the configuration is wrong, or the same runs already; another attempt would not be better.
RestartPreventExitStatus=2
KillMode=mixed
TimeoutStopSec=15
UMask=0077
NoNewPrivileges=yes
"""

_HARDENED = """\
ProtectSystem=strict
PrivateTmp=yes
ProtectProc=invisible
ProcSubset=pid
ProtectClock=yes
ProtectHostname=yes
ProtectControlGroups=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
LockPersonality=yes
RemoveIPC=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
"""


@dataclass(frozen=True)
class Unit:
    """A service.

    Attributes:
        name: Of the unit, without ``.service``.
        title: What people read.
        command: The program, by its whole path, and its arguments.
        folder: The working directory.
        state: What it keeps is in /var/lib/<state>.
        state_home: What the program is told as XDG_STATE_HOME.
        user: Who runs it; None lets systemd make a user of its own.
        secrets: Files that it gets as credentials, by their names.
        devices: The devices that it opens, such as /dev/ttyUSB0.
        groups: Whose members may open them.
        writable: Folders beside ``state`` that it writes.
        environment: A file of variables.
        low_port: Whether it listens on a port below 1024.
        reloads: Whether it reads its configuration again on SIGHUP.
    """

    name: str
    title: str
    command: tuple[str, ...]
    folder: Path
    state: str
    state_home: str = "%S"
    user: str | None = None
    secrets: tuple[Path, ...] = ()
    devices: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    writable: tuple[Path, ...] = ()
    environment: Path | None = None
    low_port: bool = False
    reloads: bool = False

    @property
    def paths(self) -> tuple[Path, ...]:
        """All that it reads or runs by a path of this machine."""
        more = (self.environment,) if self.environment else ()
        return (Path(self.command[0]), self.folder, *self.secrets, *self.writable, *more)


def unit_text(unit: Unit, *, personal: bool = False) -> str:
    """The unit as a file.

    Args:
        unit: The service.
        personal: For the services of one user (`systemctl --user`), which cannot be shut in as far.

    Raises:
        Misconfigured: A path has characters that a unit cannot hold.
    """
    modules = [f"modprobe@{_MODULES[one]}.service" for one in _ports(unit) if one in _MODULES]
    after = ["network-online.target", "time-sync.target", "mosquitto.service", *modules]
    lines = [
        "[Unit]",
        f"Description={_escaped(unit.title)}",
        f"After={' '.join(after)}",
        f"Wants={' '.join(['network-online.target', *modules])}",
        "StartLimitIntervalSec=10min",
        "StartLimitBurst=10",
        "",
        "[Service]",
        f"ExecStart={' '.join(map(_quoted, unit.command))}",
        *(["ExecReload=kill -HUP $MAINPID"] if unit.reloads else ()),
        f"WorkingDirectory={_path(unit.folder)}",
        *([f"EnvironmentFile={_path(unit.environment)}"] if unit.environment else ()),
        *_SERVICE.splitlines(),
        *(() if personal else _shut_in(unit)),
        "",
        "[Install]",
        f"WantedBy={'default' if personal else 'multi-user'}.target",
    ]
    return _signed("\n".join(lines) + "\n")


def is_as_written(text: str) -> bool | None:
    """Whether a file is as we wrote it; None where it is not ours."""
    first, _, rest = text.partition("\n")
    if not first.startswith(HEADER):
        return None
    return text == _signed(rest)


def in_a_home(paths: tuple[Path, ...]) -> list[Path]:
    """Those that lie in somebody's home."""
    return [path for path in paths if any(path.is_relative_to(home) for home in HOMES)]


def _shut_in(unit: Unit) -> list[str]:
    user = [f"User={unit.user}"] if unit.user else ["DynamicUser=yes"]
    lines = [
        "",
        *user,
        f"StateDirectory={unit.state}",
        "StateDirectoryMode=0700",
        f"Environment=XDG_STATE_HOME={unit.state_home}",
        *(f"LoadCredential={file.name}:{_path(file)}" for file in unit.secrets),
        *(f"ReadWritePaths={_path(folder)}" for folder in unit.writable),
        f"ProtectHome={'read-only' if in_a_home(unit.paths) else 'yes'}",
        *_HARDENED.splitlines(),
    ]
    capability = "CAP_NET_BIND_SERVICE" if unit.low_port else ""
    lines.append(f"CapabilityBoundingSet={capability}")
    if capability:
        lines.append(f"AmbientCapabilities={capability}")
    if not unit.devices:
        return [*lines, "PrivateDevices=yes"]
    lines += [
        "DevicePolicy=closed",
        # All of a kind: one that is unplugged comes back under another number.
        *(f"DeviceAllow=char-{port} rw" for port in _ports(unit)),
        *(f"DeviceAllow={_path(Path(one))} rw" for one in unit.devices if not _PORT.fullmatch(one)),
    ]
    if unit.groups:
        lines.append(f"SupplementaryGroups={' '.join(unit.groups)}")
    return lines


def _ports(unit: Unit) -> list[str]:
    return list(dict.fromkeys(port for one in unit.devices for port in _ports_of(one)))


def _ports_of(device: str) -> list[str]:
    """The kinds of serial port that a device may be: a name that udev gave may be any on USB."""
    if found := _PORT.fullmatch(device):
        return [found[1]]
    is_name = device.startswith("/dev/serial/") or not re.fullmatch(r"/dev/[^/]*\d", device)
    return list(_MODULES) if is_name else []


def _signed(text: str) -> str:
    return f"{HEADER}{hashlib.sha256(text.encode()).hexdigest()[:32]}\n{text}"


def _path(path: Path) -> str:
    if not _PLAIN.fullmatch(str(path)):
        raise Misconfigured(f"{str(path)!r}: a unit takes no path with spaces, quotes or \\; move it")
    return _escaped(str(path))


def _escaped(text: str) -> str:
    return text.replace("%", "%%")


def _quoted(word: str) -> str:
    """One word of a command, as systemd reads it back."""
    if re.search(r"[\x00-\x1f]", word):
        raise Misconfigured(f"{word!r}: a unit takes no word with such a character")
    text = _escaped(word).replace("$", "$$")
    if _PLAIN.fullmatch(text) and text[0] not in ";|":
        return text
    return '"{}"'.format(text.replace("\\", "\\\\").replace('"', '\\"'))
