"""What a text in the search box may mean, and which search keys a record has: both by itself."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Any, Final

from attrs import frozen

from loanhub.entities import Customer, Entity, Loan
from loanhub.pieces import Words
from loanhub.records import TAIL
from loanhub.searching import LETTERS, LONGEST, beginnings, blind_token, initials, normal

# -- one record ------------------------------------------------------------------------------------


def tokens(record: Entity, letters: Iterable[str] = LETTERS) -> set[str]:
    """What `keys` makes of one record under these letters, but for its blind indexes."""
    texts = _of_loan if isinstance(record, Loan) else _of_customer if isinstance(record, Customer) else None
    if texts is None:
        return set()
    return {f"{letter}:{text}" for letter in letters for text in texts(record, letter) if text}


def _of_loan(loan: Any, letter: str) -> list[str]:
    numbers = (loan.loan_no, loan.contract_no, loan.application_no)
    return [_lower(number)[: LONGEST * 2] for number in numbers if number] if letter == "l" else []


def _of_customer(person: Any, letter: str) -> list[str]:
    match letter:
        case "n":
            return beginnings(person.name)[:1]
        case "m":
            return beginnings(person.name)[1:]
        case "i":  # the pinyin of all characters is loaded with the first of them: not for nothing
            return [letters] if len(letters := initials(person.name)) > 1 else []
        case "d":
            phones = (re.sub(r"\D", "", phone or "") for phone in (person.mobile, person.backup_phone))
            numbers = (person.id_number, person.bank_card, (person.uscc or "").lower())
            return [text[::-1] for text in (*phones, *((number or "")[-TAIL:] for number in numbers))]
        case "u":
            return [(person.uscc or "").lower()]
        case "k":
            return [_lower(person.customer_no or "")]
    return []


def _lower(text: str) -> str:
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", text)).lower()


# -- what a text may mean --------------------------------------------------------------------------


@frozen
class Guess:
    """One thing a text in the search box may mean: `why` is a message code `found.WHY`, `rank` how well it
    then fits: 0 whole, 1 by its beginning, 2 by a part.

    `whole`: tokens that are just this one; `longer`: tokens that begin with it. With `words`, those whose
    names and addresses have them, `joined` or apart.
    """

    why: str
    kind: str
    rank: int
    token: str = ""
    whole: bool = True
    longer: bool = False
    words: Words | None = None
    joined: bool = False

    def spot(self, held: set[str]) -> str | None:
        """The first of a record's tokens that this guess meets."""
        return min((token for token in held if self._meets(token)), default=None)

    def _meets(self, token: str) -> bool:
        return self.whole if token == self.token else self.longer and token.startswith(self.token)


def guesses(text: str, blind: list[bytes]) -> list[Guess]:
    """All look-ups worth trying for a text, best first; `blind` are its blind indexes as ID and card."""
    plain = normal(text)
    if not plain:
        return []
    found = [*_numbers(plain, blind), *_names(plain), *_words(text)]
    return sorted(dict.fromkeys(found), key=lambda guess: (guess.rank, guess.kind == Loan.KIND))


def _numbers(plain: str, blind: list[bytes]) -> Iterator[Guess]:
    people, loans = Customer.KIND, Loan.KIND
    digits = re.sub(r"\D", "", plain)
    yield Guess("customer_no", people, 0, f"k:{plain}")
    if len(plain) == TAIL and re.fullmatch(r"\d{3}[\dx]", plain):
        for tail in (plain, plain.upper()):
            yield Guess("last4", people, 1, f"d:{tail[::-1]}", longer=True)
    elif 7 <= len(digits) <= 13 and not re.search(r"[^\d+()-]", plain):
        yield Guess("phone", people, 0, f"d:{(digits[-11:] if len(digits) > 11 else digits)[::-1]}")
    if len(plain) >= 13:
        yield from (Guess("number", people, 0, blind_token(b)) for b in blind)
    if re.fullmatch(r"[0-9a-z]{18}", plain):
        yield Guess("uscc", people, 0, f"u:{plain}")
    number = f"l:{plain[: LONGEST * 2]}"
    yield Guess("loan_no", loans, 0, number)
    if len(plain) >= 3:
        yield Guess("loan_no", loans, 1, number, whole=False, longer=True)


def _names(plain: str) -> Iterator[Guess]:
    """A text longer than any token may be any of those that begin like it: the record tells."""
    people, cut = Customer.KIND, len(plain) >= LONGEST
    if re.search(r"[^\d]", plain) and (len(plain) > 1 or not plain.isascii()):
        yield Guess("name", people, 0, f"n:{plain[:LONGEST]}")
        yield Guess("name", people, 1, f"n:{plain[:LONGEST]}", whole=cut, longer=True)
        yield Guess("name", people, 2, f"m:{plain[:LONGEST]}", longer=True)
    if re.fullmatch(r"[a-z]{2,8}", plain):
        yield Guess("initials", people, 1, f"i:{plain}")
        yield Guess("initials", people, 2, f"i:{plain}", whole=False, longer=True)


MOST_WORDS: Final = 8


def _words(text: str) -> Iterator[Guess]:
    """Words with at least a Chinese character among them, each a piece of an address, or of the name."""
    words = Words(tuple(map(normal, text.split())))
    if len(words.words) > MOST_WORDS or words.joined.isascii() or max(map(len, words.words)) < 2:
        return
    if len(words.words) > 1:
        yield Guess("address", Customer.KIND, 2, words=words, joined=True)
    yield Guess("address", Customer.KIND, 2, words=words)
