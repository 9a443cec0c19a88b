"""How personal values are shown to those who may not see them whole: 138****0000, 欧阳**, 北京市朝阳区***.

House style (DOMAIN.md 1.1). A mask hides what it does not understand; names of companies and their codes
stand in a public register and stay.
"""

from __future__ import annotations

import re
from typing import Final

_STAR: Final = "*"
_HIDDEN: Final = "***"
_COMPOUND: Final = frozenset(
    """
    欧阳 太史 端木 上官 司马 东方 独孤 南宫 万俟 闻人 夏侯 诸葛 尉迟 公羊 赫连
    澹台 皇甫 宗政 濮阳 公冶 太叔 申屠 公孙 慕容 仲孙 钟离 长孙 宇文 司徒 鲜于
    司空 闾丘 子车 亓官 司寇 巫马 公西 颛孙 壤驷 公良 漆雕 乐正 宰父 谷梁 拓跋
    夹谷 轩辕 令狐 段干 百里 呼延 东郭 南门 羊舌 微生 公户 公玉 公仪 梁丘 公仲
    公上 公门 公山 公坚 左丘 公伯 西门 公祖 第五 公乘 贯丘 公皙 南荣 东里 东宫
    仲长 子书 子桑 即墨 达奚 褚师 纳兰 耶律 完颜 歐陽 司馬 諸葛 東方 軒轅 長孫
    鮮于 鍾離 尉遲
    """.split()
)
_COMPANY = re.compile(r".{2,}(?:公司|合作社|集团|事务所|银行|信用社|基金会|研究院|合伙企业|有限合伙\)?)")
_NOT_IN_DISTRICT: Final = "省市区县旗盟路街道巷弄镇乡村号栋幢楼室组小社园\\d"
_ADDRESS = re.compile(
    r"(?P<province>(?:.{2,3}省|.{2,8}?自治区|.{2}特别行政区))?"
    rf"(?P<city>[^{_NOT_IN_DISTRICT}]{{1,9}}(?:市|自治州|地区|盟))?"
    rf"(?P<district>[^{_NOT_IN_DISTRICT}]{{1,8}}(?:自治县|自治旗|新区|[市区县旗]))?"
)


def is_company_name(name: str) -> bool:
    """Whether a name can only be an organisation's (it ends in 公司, 合作社, 事务所 and the like)."""
    return _COMPANY.fullmatch(name.strip().replace("（", "(").replace("）", ")")) is not None


def mask_name(name: str, *, company: bool | None = None) -> str:
    """张*, 欧阳**, 阿**·买**, J** S**; a company is not masked. `company` None looks at the name itself."""
    shown = name.strip()
    if company or (company is None and is_company_name(shown)):
        return shown
    if "·" in shown or shown.isascii():
        parts = re.split(r"([·\s]+)", shown)
        return "".join(part if i % 2 else _first_only(part) for i, part in enumerate(parts))
    keep = 2 if len(shown) > 2 and shown[:2] in _COMPOUND else 1
    if len(shown) <= keep:
        return _STAR * len(shown)
    return shown[:keep] + _STAR * (len(shown) - keep)


def _first_only(part: str) -> str:
    return part[0] + "**" if len(part) > 1 else _STAR * len(part)


def mask_id(number: str) -> str:
    """The first three and last four characters: 119***********0016. Other documents keep their ends too."""
    return _ends(number.strip(), 3, 4)


def mask_card(number: str) -> str:
    """The first and last four digits: 6200********0005."""
    return _ends(number.strip(), 4, 4)


def mask_mobile(number: str) -> str:
    """138****0000."""
    return _ends(number.strip(), 3, 4)


def mask_landline(number: str) -> str:
    """010-****1234; an extension is left out."""
    found = re.fullmatch(r"(0\d{2,3})-?(\d{7,8})(?:-\d+)?", number.strip(), re.ASCII)
    return f"{found[1]}-****{found[2][-4:]}" if found else mask_mobile(number)


def mask_phone(number: str) -> str:
    """A mobile or a landline."""
    return mask_landline(number) if number.strip().startswith("0") else mask_mobile(number)


def mask_email(address: str) -> str:
    """z***@example.com; a local part of one character is hidden whole."""
    local, at, domain = address.strip().partition("@")
    if not at:
        return _HIDDEN
    return f"{local[0]}***@{domain}" if len(local) > 1 else f"*@{domain}"


def mask_wechat(account: str) -> str:
    """The first and last character."""
    return _ends(account.strip(), 1, 1)


def mask_address(address: str) -> str:
    """Down to the district, the rest hidden: 北京市朝阳区***. Without a district what stands above it."""
    found = _ADDRESS.match("".join(address.split()))
    return (found[0] if found else "") + _HIDDEN


def mask_text(text: str) -> str:
    """Nothing shown, not even the length."""
    return _HIDDEN if text.strip() else ""


def _ends(text: str, head: int, tail: int) -> str:
    """The ends of a text that is long enough for them to say little; else only stars."""
    if len(text) < head + tail + 3:
        return _STAR * len(text)
    return text[:head] + _STAR * (len(text) - head - tail) + text[len(text) - tail :]
