from __future__ import annotations

from airflow_provider_permitocr.emulator.engines.assembly import Reading, read_card, split_at_labels
from airflow_provider_permitocr.emulator.engines.lines import Line
from airflow_provider_permitocr.permit.api import CardSide, PermitType

CHARACTER = 20.0
TITLE = ("台湾居民来往大陆通行证", 100, 20)


def line(text: str, left: float, top: float) -> Line:
    return Line(text, left, top, left + CHARACTER * len(text), top + 24)


def read(*placed: tuple[str, float, float]) -> Reading:
    reading = read_card([line(*one) for one in placed])
    assert reading is not None
    return reading


def test_values_beside_their_labels_are_read() -> None:
    reading = read(
        TITLE,
        ("姓名", 100, 100), ("李优图", 220, 98),
        ("LI,YOU-TU", 220, 135),
        ("性别", 100, 170), ("男", 220, 170),
        ("有效期限", 100, 205), ("2016.02.03-2021.02.02", 220, 205),
        ("签发地点", 100, 240), ("广东", 220, 240),
        ("换证次数", 100, 275), ("02", 220, 275),
    )  # fmt: skip
    assert reading.permit_type is PermitType.TAIWAN
    assert reading.side is CardSide.FRONT
    found = {name: text for name, text in reading.texts.items() if text}
    assert found == {
        "Name": "李优图",
        "EnglishName": "LI,YOU-TU",
        "Sex": "男",
        "ValidDate": "2016.02.03-2021.02.02",
        "IssueAddress": "广东",
        "IssueNumber": "02",
    }


def test_values_below_their_labels_are_read_and_the_label_to_the_right_keeps_its_own() -> None:
    reading = read(
        TITLE,
        ("签发地点", 100, 100), ("换证次数", 300, 100),
        ("广东", 100, 130), ("02", 300, 130),
    )  # fmt: skip
    assert reading.texts["IssueAddress"] == "广东"
    assert reading.texts["IssueNumber"] == "02"


def test_labels_and_values_that_detection_joined_are_parted() -> None:
    reading = read(TITLE, ("出生日期1986.03.02性别男", 100, 100), ("换证次数: 02", 100, 140))
    assert reading.texts["Birthday"] == "1986.03.02"
    assert reading.texts["Sex"] == "男"
    assert reading.texts["IssueNumber"] == "02"


def test_parts_of_a_joined_line_keep_their_places() -> None:
    birthday, value, sex = split_at_labels(line("出生日期1986性别", 100, 0))
    assert (birthday.field, birthday.line.left, birthday.line.right) == ("Birthday", 100, 180)
    assert (value.field, value.line.text, value.line.left) == ("", "1986", 180)
    assert (sex.field, sex.line.left) == ("Sex", 260)


def test_a_misread_title_and_misread_labels_are_understood() -> None:
    reading = read(
        ("合湾居民来往大陆通行正", 100, 20), ("签发机美", 100, 100), ("公安部出入境管理局", 220, 100),
        ("姓各", 100, 140), ("李优图", 220, 140),
    )  # fmt: skip
    assert reading.permit_type is PermitType.TAIWAN
    assert reading.texts["IssueAuthority"] == "公安部出入境管理局"
    assert reading.texts["Name"] == "李优图"


def test_fields_that_their_format_tells_survive_a_lost_label() -> None:
    reading = read(
        TITLE, ("姓名", 100, 100), ("签发机关", 100, 300), ("1986.03.02", 500, 200), ("08320271", 20, 400)
    )
    assert reading.texts["Birthday"] == "1986.03.02"
    assert reading.texts["Number"] == "08320271"


def test_a_back_is_told_by_its_labels() -> None:
    reading = read(
        ("港澳居民来往内地通行证", 100, 20),
        ("姓名", 50, 100), ("陈大文", 50, 130),
        ("身份证件号码", 50, 180), ("历史通行证号码", 400, 180),
        ("A123456(3)", 50, 210), ("H1038787701", 400, 210),
    )  # fmt: skip
    assert reading.side is CardSide.BACK
    assert reading.texts == {}
    assert reading.back == {"Name": "陈大文", "IDNumber": "A123456(3)", "HistoryNumber": "H1038787701"}


def test_a_stamp_or_a_distant_text_is_no_value() -> None:
    reading = read(TITLE, ("姓名", 100, 100), ("国籍", 100, 200), ("样本", 900, 100), ("SPECIMEN", 900, 130))
    assert reading.texts["Name"] == ""
    assert reading.texts["EnglishName"] == ""


def test_text_that_is_no_permit_gives_nothing() -> None:
    assert read_card([]) is None
    assert read_card([line("营业执照", 0, 0), line("姓名", 0, 50), line("性别", 0, 90)]) is None
    assert read_card([line("台湾居民来往大陆通行证", 0, 0), line("怎样办理", 0, 50)]) is None
