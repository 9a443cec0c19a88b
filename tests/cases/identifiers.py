"""Judges of identifiers.json: resident numbers, company codes, cards, phones, masks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from loanhub import identifiers as ids
from loanhub.readings import Reading
from loanhub.texts import render
from tests.cases.answers import Answer, cell, plain, reason, said

# How a case may name the reason that we give as this code.
WORDS = {
    "id-checksum": ("checksum", "check digit"),
    "id-checksum-zeros": ("checksum", "check digit", "000", "excel", "damage"),
    "id-length": ("length",),
    "id-format": ("format", "charset", "character"),
    "id-date": ("date", "birth"),
    "id-province": ("province", "area", "region"),
    "digits-lost": ("numeric", "digits", "scientific", "excel", "damage", "format", "length"),
    "uscc-checksum": ("checksum", "check digit", "check"),
    "uscc-length": ("length",),
    "uscc-format": ("format", "charset", "character", "alphabet", "letter"),
    "uscc-registration-number": ("length", "legacy", "registration"),
    "cell-empty": ("empty", "missing", "length"),
}


def resident_id(case: Mapping[str, Any]) -> dict[str, Answer]:
    reading = _read(case, ids.read_resident_id)
    return {**_verdict(reading), **_of_number(reading.value)}


def resident_id_15(case: Mapping[str, Any]) -> dict[str, Answer]:
    reading = _read(case, ids.read_resident_id)
    legacy = reading.ok and reading.warning == "id-legacy"
    answers = {**_verdict(reading), **_of_number(reading.value)}
    return {
        **answers,
        "valid_legacy": plain(legacy),
        "upgraded": plain(reading.value if legacy else None),
        "severity": plain("warning" if legacy else "error"),
    }


def uscc(case: Mapping[str, Any]) -> dict[str, Answer]:
    reading = _read(case, ids.read_uscc)
    mismatch = reading.warning == "uscc-organisation"
    answers = {
        **_verdict(reading),
        "valid_uscc": plain(reading.ok),
        "org_code_ok": plain(reading.ok and not mismatch),
        "org_code_valid": plain(reading.ok and not mismatch),
    }
    if reading.value is not None:
        parts = ids.company_parts(reading.value)
        answers |= {
            "registering_dept": plain(parts.registering_dept),
            "entity_class": plain(parts.entity_class),
            "area": plain(parts.area),
            "org_code": plain(parts.org_code),
        }
    return answers


def bank_card(case: Mapping[str, Any]) -> dict[str, Answer]:
    reading = _read(case, ids.read_card)
    digits = "".join(c for c in cell(case["inputs"])[0] if c.isdigit())
    severity = "error" if not reading.ok else "warning" if reading.warning else "ok"
    return {
        **_verdict(reading),
        "luhn": plain(ids.luhn(digits)),
        "length_ok": plain(reading.problem != "card-length"),
        "severity": plain(severity),
        "mask": plain(None if reading.value is None else ids.mask_card(reading.value)),
    }


def _phone(read: Callable[[str], Reading[str]], mask: Callable[[str], str]) -> Callable[[Any], Any]:
    def judge(case: Mapping[str, Any]) -> dict[str, Answer]:
        reading = _read(case, read)
        masked = None if reading.value is None else mask(reading.value)
        return {**_verdict(reading), "mask": plain(masked)}

    return judge


MASKS: Mapping[str, Callable[[str], str]] = {
    "name": ids.mask_name,
    "company": lambda name: ids.mask_name(name, company=True),
    "uscc": lambda code: code,
    **dict.fromkeys(("id", "id18", "id15", "id_number", "resident_id", "passport"), ids.mask_id),
    **dict.fromkeys(("mobile", "phone"), ids.mask_phone),
    **dict.fromkeys(("landline", "backup_phone"), ids.mask_phone),
    **dict.fromkeys(("card", "bank_card"), ids.mask_card),
    "email": ids.mask_email,
    "wechat": ids.mask_wechat,
    **dict.fromkeys(("address", "hukou_address"), ids.mask_address),
}


def mask(case: Mapping[str, Any]) -> dict[str, Answer]:
    inputs = case["inputs"]
    hide = MASKS.get(inputs["field"])
    return {} if hide is None else {"mask": plain(hide(inputs["value"]))}


def _read(case: Mapping[str, Any], read: Callable[[str], Reading[str]]) -> Reading[str]:
    text, numeric = cell(case["inputs"])
    return Reading(None, "digits-lost") if numeric and ids.lost_digits(text) else read(text)


def _verdict(reading: Reading[str]) -> dict[str, Answer]:
    """What every kind may be asked: validity, the normal form, why not, and what is said to the clerk."""
    hint = render(reading.problem or reading.warning or "", "en").hint
    return {
        "valid": plain(reading.ok),
        "ok": plain(reading.ok),
        "normalized": plain(reading.value),
        "value": plain(reading.value),
        "reason": reason(reading.problem, WORDS),
        "warning": said(reading.warning),
        "warn": said(reading.warning),
        "hint": said(hint),
    }


def _of_number(number: str | None) -> dict[str, Answer]:
    if number is None:
        return {key: plain(None) for key in ("birth", "gender", "province")}
    return {
        "birth": plain(ids.birth_of(number).isoformat()),
        "gender": plain(ids.gender_of(number)),
        "province": plain(ids.province_of(number)),
    }


JUDGES = {
    "resident_id": resident_id,
    "resident_id_15": resident_id_15,
    "uscc": uscc,
    "business_reg_no_15": uscc,
    "bank_card": bank_card,
    "mobile": _phone(ids.read_mobile, ids.mask_mobile),
    "landline": _phone(ids.read_landline, ids.mask_landline),
    "backup_phone": _phone(ids.read_phone, ids.mask_phone),
    "phone": _phone(ids.read_phone, ids.mask_phone),
    "email": _phone(ids.read_email, ids.mask_email),
    "wechat": _phone(ids.read_wechat, ids.mask_wechat),
    "mask": mask,
}
