"""Where a home may not lie: on a network share, in a cloud-sync folder, under a name of Windows' own."""

from __future__ import annotations

import re
from pathlib import Path, PurePath
from types import ModuleType
from typing import Final

from loanhub.system.branch import here

# Folders that a sync program fills, in lower case; "OneDrive - 某公司" and "Dropbox (个人)" count too.
CLOUD_FOLDERS: Final = frozenset(
    {
        *("onedrive", "dropbox", "google drive", "googledrive", "my drive", "我的云端硬盘"),
        *(
            "icloud drive",
            "iclouddrive",
            "icloud~",
            "mobile documents",
            "com~apple~clouddocs",
            "cloudstorage",
        ),
        *("nutstore", "nutstore files", "my nutstore", "坚果云", "我的坚果云"),
        *("baidusyncdisk", "baidunetdisk", "百度网盘", "百度网盘同步空间"),
        *("wpsdrive", "wps cloud files", "wps云盘", "wps云文档"),
        *("腾讯微云", "微云同步助手", "weiyun"),
        *("nextcloud", "owncloud", "seafile", "synologydrive", "box sync"),
    }
)
CLOUD_MARKS: Final = (
    ".dropbox",
    ".dropbox.cache",
    ".nutstore",
    ".owncloudsync.log",
    ".stfolder",
    ".tmp.drivedownload",
)
_DEVICES: Final = re.compile(r"(?:con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])", re.IGNORECASE)


def home_problem(path: Path) -> str | None:
    """Why `path` may not be a home, as a message code with the fact `path`; None when it may.

    Locks and write-ahead logs do not hold on a share, and a sync program copies a database half written.
    """
    return problem_on(path, here)


def problem_on(path: Path, system: ModuleType) -> str | None:
    """As `home_problem`, by the rules of one branch of `system`."""
    resolved = path.resolve()
    if system.on_network_share(resolved):
        return "home-on-network-share"
    if in_cloud_folder(path.absolute()) or in_cloud_folder(resolved):
        return "home-in-cloud-folder"
    if system.RESERVES_NAMES and any(reserved_name(part) for part in resolved.parts[1:]):
        return "home-name-reserved"
    return None


def in_cloud_folder(path: Path) -> bool:
    """Whether a sync program fills `path` or a folder above it, told by names and by marks left there."""
    return any(_cloud_name(part) for part in PurePath(path).parts) or any(
        (folder / mark).exists() for folder in (path, *path.parents) for mark in CLOUD_MARKS
    )


def _cloud_name(part: str) -> bool:
    plain = part.casefold().strip()
    return plain in CLOUD_FOLDERS or re.split(r"\s*[-(（]\s*", plain)[0] in CLOUD_FOLDERS


def reserved_name(name: str) -> bool:
    """Whether Windows keeps this name for itself (CON, NUL.xlsx) or would change it (a dot at the end)."""
    return name.endswith((".", " ")) or _DEVICES.fullmatch(name.partition(".")[0].rstrip()) is not None


def is_kept_name(name: str) -> bool:
    """Whether a file cannot be called so on this system."""
    return here.RESERVES_NAMES and reserved_name(name)
