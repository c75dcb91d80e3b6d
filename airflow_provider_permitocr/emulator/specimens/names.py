"""Invented names: common Chinese characters and how each place writes them in Latin letters."""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import IntEnum
from typing import Final


class Romanization(IntEnum):
    """How a Chinese name is written in Latin letters; the value is the column of the tables."""

    PINYIN = 0
    CANTONESE = 1
    WADE_GILES = 2


@dataclass(frozen=True)
class WrittenName:
    """One invented name: in Chinese, and in Latin letters as permits print it."""

    chinese: str
    latin: str


_SURNAMES: Final = (
    ("陈", "CHEN CHAN CHEN"),
    ("林", "LIN LAM LIN"),
    ("黄", "HUANG WONG HUANG"),
    ("张", "ZHANG CHEUNG CHANG"),
    ("李", "LI LEE LI"),
    ("王", "WANG WONG WANG"),
    ("吴", "WU NG WU"),
    ("刘", "LIU LAU LIU"),
    ("蔡", "CAI CHOI TSAI"),
    ("杨", "YANG YEUNG YANG"),
    ("许", "XU HUI HSU"),
    ("郑", "ZHENG CHENG CHENG"),
    ("谢", "XIE TSE HSIEH"),
    ("郭", "GUO KWOK KUO"),
    ("曾", "ZENG TSANG TSENG"),
    ("周", "ZHOU CHOW CHOU"),
    ("叶", "YE YIP YEH"),
    ("何", "HE HO HO"),
    ("徐", "XU TSUI HSU"),
    ("朱", "ZHU CHU CHU"),
    ("欧阳", "OUYANG AUYEUNG OUYANG"),
)

_GIVEN_MEN: Final = (
    ("伟", "WEI WAI WEI"),
    ("志", "ZHI CHI CHIH"),
    ("豪", "HAO HO HAO"),
    ("国", "GUO KWOK KUO"),
    ("强", "QIANG KEUNG CHIANG"),
    ("俊", "JUN CHUN CHUN"),
    ("杰", "JIE KIT CHIEH"),
    ("建", "JIAN KIN CHIEN"),
    ("华", "HUA WAH HUA"),
    ("康", "KANG HONG KANG"),
)
_GIVEN_WOMEN: Final = (
    ("美", "MEI MEI MEI"),
    ("玲", "LING LING LING"),
    ("雅", "YA NGA YA"),
    ("婷", "TING TING TING"),
    ("淑", "SHU SHUK SHU"),
    ("芬", "FEN FAN FEN"),
    ("怡", "YI YEE YI"),
    ("佩", "PEI PUI PEI"),
    ("慧", "HUI WAI HUI"),
    ("诗", "SHI SZE SHIH"),
)
_GIVEN_ANY: Final = (
    ("文", "WEN MAN WEN"),
    ("明", "MING MING MING"),
    ("家", "JIA KA CHIA"),
    ("安", "AN ON AN"),
    ("永", "YONG WING YUNG"),
    ("君", "JUN KWAN CHUN"),
    ("敏", "MIN MAN MIN"),
    ("嘉", "JIA KA CHIA"),
    ("欣", "XIN YAN HSIN"),
    ("晓", "XIAO HIU HSIAO"),
    ("春", "CHUN CHUN CHUN"),
    ("宁", "NING NING NING"),
)

_FOREIGN_SURNAMES: Final = [
    "SMITH",
    "MARTIN",
    "PEREIRA",
    "SANTOS",
    "SHARMA",
    "KHAN",
    "GURUNG",
    "DUBOIS",
    "WALKER",
    "COSTA",
    "MILLER",
    "NGUYEN",
]
_FOREIGN_MEN: Final = ["JAMES", "PAUL", "DANIEL", "MARCO", "ANIL", "OMAR", "LUCAS", "PETER"]
_FOREIGN_WOMEN: Final = ["ANNA", "MARIA", "SARAH", "PRIYA", "HELEN", "CLARA", "JULIE", "NINA"]

_JOINER: Final = {Romanization.PINYIN: "", Romanization.CANTONESE: " ", Romanization.WADE_GILES: "-"}


def chinese_name(rng: random.Random, sex: str, romanization: Romanization) -> WrittenName:
    """Invent a Chinese name of one or two given characters.

    The Latin form is ``SURNAME,GIVEN`` (the API's sample prints ``LI,YOU-TU``).

    :param rng: source of chance.
    :param sex: ``男`` or ``女``.
    """
    surname, surname_latin = rng.choice(_SURNAMES)
    pool = _GIVEN_ANY + (_GIVEN_MEN if sex == "男" else _GIVEN_WOMEN)
    given = rng.sample(pool, rng.choices((1, 2), (1, 5))[0])
    latin = _JOINER[romanization].join(spelled.split()[romanization] for _, spelled in given)
    return WrittenName(
        surname + "".join(character for character, _ in given),
        f"{surname_latin.split()[romanization]},{latin}",
    )


def foreign_name(rng: random.Random, sex: str) -> WrittenName:
    """Invent a name in Latin letters, with the Chinese name that its holder registered locally."""
    given = _FOREIGN_MEN if sex == "男" else _FOREIGN_WOMEN
    latin = f"{rng.choice(_FOREIGN_SURNAMES)},{' '.join(rng.sample(given, rng.choice((1, 2))))}"
    return WrittenName(chinese_name(rng, sex, Romanization.CANTONESE).chinese, latin)
