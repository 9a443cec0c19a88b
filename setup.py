"""Finds the packages; all else stands in pyproject.toml.

pyproject.toml can find packages or map one to another folder, not both: `plugins/` holds top-level
packages, and `config/` is installed as `loanhub_defaults`.
"""

from setuptools import find_packages, setup

ours = find_packages(".", include=["loanhub*", "sync_agent*"])
plugins = find_packages("plugins", exclude=["*.tests", "*.tests.*"])

setup(
    packages=[*ours, *plugins, "loanhub_defaults"],
    package_dir={
        "loanhub_defaults": "config",
        **{name: "plugins/" + name.replace(".", "/") for name in plugins},
    },
)
