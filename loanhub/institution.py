"""One open home: its settings, keys, plugins and store. Desks are given out here, one for each principal."""

from __future__ import annotations

import getpass
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from zoneinfo import ZoneInfo

from attrs import define, field, frozen

from loanhub import settings as settings_
from loanhub.desk import Desk
from loanhub.entities import Account
from loanhub.errors import Misconfigured, NotAllowed, NotFound
from loanhub.fields import Dictionary, Field
from loanhub.files import scratch, write_atomically
from loanhub.home import FOLDERS, Home
from loanhub.keys import Keyring, Secret, bind, blind_many, looks_like_recovery_key, open_many, seal_many
from loanhub.plugins import Failure, Plugins
from loanhub.policy import Principal, host_operator, system
from loanhub.records import FieldKeys, Query
from loanhub.schema import schema
from loanhub.settings import Settings
from loanhub.system import home_problem, private_folder

if TYPE_CHECKING:
    from loanhub.accounts import Recognised
    from loanhub.kinds import Clock, Store

Unlock = Callable[[], Secret]


@frozen
class SystemClock:
    """The clock of this computer."""

    def now(self) -> datetime:
        """This moment in UTC."""
        return datetime.now(UTC)


@define(eq=False)
class Institution:
    """An open home. Close it, or use it as a context manager."""

    home: Home
    settings: Settings
    keyring: Keyring = field(repr=False)
    plugins: Plugins = field(repr=False)
    store: Store = field(repr=False)
    clock: Clock
    dictionary: Dictionary = field(repr=False)
    failures: list[Failure] = field(factory=list, repr=False)
    signed_in: Recognised | None = field(default=None, repr=False)
    """Who works here, once somebody has signed in."""
    _has_accounts: bool = False

    @classmethod
    def create(
        cls, root: Path, passphrase: Secret, values: dict[str, Any], *, clock: Clock | None = None
    ) -> tuple[Institution, Secret]:
        """A new home in an empty or missing folder, open, and its recovery key to be printed.

        Raises Misconfigured for a network share, a cloud-sync folder or a folder in use.
        """
        home = Home(root)
        refuse_unfit(root)
        if home.settings_file.exists() or home.keyring.exists():
            raise Misconfigured("home-exists", home=str(root))
        for name in FOLDERS:
            private_folder(home / name)
        _, recovery = Keyring.create(home.keyring, passphrase)
        settings_.write(home, values)
        return cls.open(root, unlock=lambda: passphrase, clock=clock), recovery

    @classmethod
    def open(cls, root: Path, *, unlock: Unlock, clock: Clock | None = None) -> Institution:
        """The home of an institution. Raises Misconfigured("home-missing"), NotAllowed for a wrong secret."""
        home = Home(root)
        if not home.exists:
            raise Misconfigured("home-missing", home=str(root))
        refuse_unfit(root)
        for name in FOLDERS:  # an empty one may have been left behind by whoever copied the home
            private_folder(home / name)
        settings = settings_.read(home)
        plugins = Plugins.load(home / "plugins", settings.plugins.disabled)
        dictionary = settings_.dictionary(settings, plugins.fields)
        keyring = _opened(home, unlock(), plugins)
        store = _open_store(home, settings, keyring, plugins)
        return cls(home, settings, keyring, plugins, store, clock or SystemClock(), dictionary)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the store."""
        self.store.close()

    def desk(self, who: Principal | None = None) -> Desk:
        """A desk for a principal; for whoever works here when none is named.

        Raises NotAllowed("sign-in-needed") when the home has accounts and nobody has signed in.
        """
        return Desk(self, who or self.person)

    def system_desk(self, job: str) -> Desk:
        """A desk for the house itself."""
        return Desk(self, system(job))

    @property
    def person(self) -> Principal:
        """Who works here: whoever signed in, and the host operator while there are no accounts.

        Raises NotAllowed("sign-in-needed").
        """
        if self.signed_in is not None:
            return self.signed_in.principal
        if self.has_accounts:
            raise NotAllowed("sign-in-needed")
        return host_operator(_user())

    @property
    def attendant(self) -> Principal:
        """Who goes on with what was begun: whoever works here, else the house itself, as `up` and `watch` do
        when nobody has signed in.
        """
        if self.signed_in is None and self.has_accounts:
            return system("host")
        return self.person

    @property
    def has_accounts(self) -> bool:
        """Whether people sign in here; until then the host operator acts."""
        if not self._has_accounts:
            with self.store.reading() as tx:
                self._has_accounts = any(True for _ in tx.find(Query(Account.KIND, limit=1)))
        return self._has_accounts

    def tell(self) -> None:
        """Tell plugins of audit lines they have not heard: at least once, failures undo nothing."""
        path = self.home / "data" / "told"
        heard = int(path.read_text(encoding="ascii")) if path.exists() else 0
        with self.store.reading() as tx:
            lines = list(tx.lines(heard))
        for line in lines:
            self.failures += self.plugins.tell(line)
        if lines:
            write_atomically(path, str(lines[-1].seq).encode())

    def store_of(self, copy: Home) -> Store:
        """The store of another copy of this home, opened with this one's keys; brought up to its tables.

        Raises NotFound("database-key-unknown") for a home that is not a copy of this one, Damaged.
        """
        return _open_store(copy, self.settings, self.keyring, self.plugins)

    @property
    def zone(self) -> ZoneInfo:
        """Where days begin."""
        return ZoneInfo(self.settings.timezone)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """The private folder for temporary files, emptied on entering and on leaving."""
        try:
            yield scratch(self.home / "tmp")
        finally:
            with suppress(OSError):  # a file still open on Windows goes at the next entering
                scratch(self.home / "tmp")

    @property
    def field_keys(self) -> FieldKeys:
        """Seals, opens and blinds single fields with this home's keys."""
        return FieldKeys(self._seal, self._open, self._blind)

    def _seal(self, about: Field, ids: Sequence[int], plain: Sequence[bytes | None]) -> list[bytes | None]:
        return seal_many(self.keyring.seal_key("field"), plain, _places(about, ids))

    def _open(self, about: Field, ids: Sequence[int], sealed: Sequence[bytes | None]) -> list[str | None]:
        plain = open_many(self.keyring.seal_keys("field"), sealed, _places(about, ids))
        return [None if p is None else p.decode() for p in plain]

    def _blind(self, about: Field, plain: Sequence[str | None]) -> list[bytes | None]:
        key = self.keyring.purpose("blind", 1).blind_key(about.path)
        return blind_many(key, [None if p is None else p.upper() for p in plain])


def _places(about: Field, ids: Sequence[int]) -> list[bytes]:
    prefix = bind(about.path)
    return [prefix + i.to_bytes(8, "big") for i in ids]


def refuse_unfit(root: Path) -> None:
    """Raises Misconfigured when the folder cannot hold a home: a share, a cloud-sync folder."""
    if problem := home_problem(root):
        raise Misconfigured(problem, home=str(root))


def _open_store(home: Home, settings: Settings, keyring: Keyring, plugins: Plugins) -> Store:
    kind = plugins.stores.get(settings.store)
    if kind is None:
        raise Misconfigured("store-unknown", store=settings.store)
    store = kind.open(home.root, _database_key(home, keyring))
    store.migrate(schema())
    return store


def _opened(home: Home, secret: Secret, plugins: Plugins) -> Keyring:
    """The keyring; whoever opens it with the recovery key has proven that key."""
    keyring = Keyring.open(home.keyring, secret, kinds=plugins.slots)
    text = secret.text()
    if keyring.recovery_proven is None and text is not None and looks_like_recovery_key(text):
        keyring.prove_recovery(secret)
    return keyring


def _database_key(home: Home, keyring: Keyring) -> bytes:
    """The key the database was made with: its check value stands beside it, so that a key of another
    epoch is found and a foreign database is told apart from a damaged one.
    """
    path = home / "data" / "key-check"
    if not path.exists():
        write_atomically(path, keyring.purpose("database").check.hex().encode())
    owner = keyring.owner_of(bytes.fromhex(path.read_text(encoding="ascii").strip()))
    if owner is None:
        raise NotFound("database-key-unknown")
    return keyring.purpose(*owner).reveal()


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return os.environ.get("USERNAME", "host")
