"""A second remote: the same objects under the same names, copied without any key, and never ahead of itself.

At every moment the copy gives back every snapshot it lists that is still live at the source. It is only ever
opened for reading.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Final

from attrs import frozen

from loanhub import Busy, Damaged, NotAllowed, NotFound, Remote
from sync_agent.vault.head import last_of
from sync_agent.vault.history import find_head
from sync_agent.vault.keys import read_start
from sync_agent.vault.names import BASES, PACKS, START, commit_name, keyring_name, object_in, sequence_in
from sync_agent.vault.pruning import GRACE, age_between
from sync_agent.vault.putting import put_settled
from sync_agent.vault.vault import Vault

_KEPT: Final = (PACKS, BASES)
_TRIES: Final = 3


@frozen
class Mirrored:
    """What a copying did: objects and bytes copied, and the commit up to which the copy now counts."""

    objects: int
    bytes: int
    head: int


def mirror(
    source: Remote, target: Remote, *, progress: Callable[[int, int], object] | None = None
) -> Mirrored:
    """Copies to `target` what it lacks of the vault at `source`; killed, it is simply run again.

    `progress` is told (objects done, objects in all). Raises NotFound `vault-missing`; Damaged
    `vault-another` when the target holds another vault, `vault-rolled-back` when the source has fewer commits
    than it, `vault-forked` when its commits are others, and `vault-object-damaged` for an object of the
    target that is not the source's.
    """
    _same_vault(source, target)
    objects = total = 0
    for _ in range(_TRIES):
        head = find_head(source, 0)
        already = _common_head(source, target, head)
        commits = [commit_name(sequence) for sequence in range(already + 1, head + 1)]
        names = [*_lacking(source, target), *_keyrings(source, target)]
        told = objects + len(names) + len(commits)
        for name in names:
            total += _copy(source, target, name)
            objects += 1
            if progress is not None:
                progress(objects, told)
        # A prune meanwhile may have moved what these commits need to packs that were not listed.
        if find_head(source, 0) == head:
            break
    for name in commits:
        total += _copy(source, target, name)
        objects += 1
        if progress is not None:
            progress(objects, told)
    return Mirrored(objects, total, head)


def _same_vault(source: Remote, target: Remote) -> None:
    try:
        start = source.get(START)
    except NotFound:
        raise NotFound("vault-missing") from None
    found = target.get(START) if target.size(START) is not None else b""
    if not start.startswith(found):
        raise Damaged("vault-another", expected=read_start(start).vault, found=read_start(found).vault)
    _copy(source, target, START)


def _common_head(source: Remote, target: Remote, head: int) -> int:
    """The last commit the target has; it must be the source's own, or older than what the source keeps."""
    last = find_head(target, 0)
    if last > head:
        raise Damaged("vault-rolled-back", head=head, pinned=last)
    if not last:
        return 0
    name = commit_name(last)
    if source.size(name) is None:
        return last  # cut off as history, or lost: there is nothing to compare with
    if source.get(name) != target.get(name):
        if not _is_torn(target, name, source.get(name)):
            raise Damaged("vault-forked", name=name)
        return last - 1
    return last


def _lacking(source: Remote, target: Remote) -> list[str]:
    there = {one.name: one.size for prefix in _KEPT for one in target.list(prefix)}
    return [
        one.name
        for prefix in _KEPT
        for one in source.list(prefix)
        if object_in(one.name) is not None and there.get(one.name) != one.size
    ]


def _keyrings(source: Remote, target: Remote) -> list[str]:
    first, last = last_of(target, keyring_name, 0), last_of(source, keyring_name, 0)
    if first and target.size(keyring_name(first)) != source.size(keyring_name(first)):
        first -= 1  # torn when it was put
    return [keyring_name(sequence) for sequence in range(first + 1, last + 1)]


def _copy(source: Remote, target: Remote, name: str) -> int:
    try:
        data = source.get(name)
    except NotFound:
        return 0  # pruned since it was listed: no commit that is copied needs it
    for _ in range(_TRIES):
        if put_settled(target, name, data):
            return len(data)
        if not _is_torn(target, name, data):
            raise Damaged("vault-object-damaged", name=name)
        target.delete(name)  # a copy may be put again: what is right stands at the source
    raise Busy("vault-put-refused", name=name)


def _is_torn(target: Remote, name: str, data: bytes) -> bool:
    return data.startswith(target.get(name))


def tidy(vault: Vault, target: Remote, *, grace: timedelta = GRACE) -> int:
    """Deletes from the copy at `target` what the vault has pruned, once its own copy of that is old enough.

    How many objects; a target that refuses deletes keeps them. Names that no prune named are left alone.
    """
    here = set(_names(vault.remote))
    extra = {name for name in _names(target) if name not in here}
    newest = find_head(target, 0)
    deleted = 0
    for commit in vault.commits(newest_first=True) if extra else ():
        if commit.type != "prune" or commit.sequence > newest:
            continue
        mine = extra.intersection(commit.body["objects"])
        if mine and age_between(target, commit.sequence, newest) >= grace:
            deleted += _delete(target, mine)
        extra -= mine
        if not extra:
            break
    return deleted


def _names(remote: Remote) -> Iterable[str]:
    for prefix in (*_KEPT, "c/"):
        for one in remote.list(prefix):
            if object_in(one.name) is not None or sequence_in(one.name) is not None:
                yield one.name


def _delete(target: Remote, names: Iterable[str]) -> int:
    deleted = 0
    for name in sorted(names):
        try:
            target.delete(name)
        except NotAllowed:
            break
        deleted += 1
    return deleted
