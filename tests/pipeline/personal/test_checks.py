import random

import pytest

from pipeline.personal import checks

IDENTITY = [
    "11010519491231002X",
    "440524188001010014",
    "34052419800101001X",
    "53010219200508011X",
    "810000199001010019",
    "830000199001010012",
    "110101199003070003",
]
NO_IDENTITY = [
    "110105194912310021",  # check digit
    "110105200102290010",  # 29 February 2001
    "999999199001010016",  # province 99
    "110105194913310024",  # month 13
    "123456789012345678",
    "1101051949123100２X",
    "",
]
CREDIT = ["91350100M000100Y43", "91110000802100433B", "9144030071526726XG", "914403001922038216", "91330100799655058B"]
CARDS = ["6222020000000000000", "6217000000000000004", "6228480000000000000"]


@pytest.mark.parametrize("number", IDENTITY)
def test_knows_identity_cards(number: str) -> None:
    assert checks.is_identity_card(number)
    assert checks.identity_digit(number[:17]) == number[17]


@pytest.mark.parametrize("number", NO_IDENTITY)
def test_knows_what_only_looks_like_an_identity_card(number: str) -> None:
    assert not checks.is_identity_card(number)


def test_old_identity_cards_have_a_region_and_a_date() -> None:
    assert checks.is_old_identity_card("130503670401001")
    assert not checks.is_old_identity_card("130503671301001")
    assert not checks.is_old_identity_card("990503670401001")


@pytest.mark.parametrize("number", CREDIT)
def test_knows_social_credit_codes(number: str) -> None:
    assert checks.is_social_credit(number)
    assert checks.credit_digit(number[:17]) == number[17]
    assert checks.organisation_digit(number[8:16]) == number[16]


@pytest.mark.parametrize("number", CREDIT)
def test_either_wrong_check_character_refuses_a_social_credit_code(number: str) -> None:
    for char in set(checks.CREDIT) - {number[17]}:
        assert not checks.is_social_credit(number[:17] + char)
    for char in set(checks.CREDIT) - {number[16]}:
        broken = number[:16] + char
        assert not checks.is_social_credit(broken + checks.credit_digit(broken))


@pytest.mark.parametrize("number", CARDS)
def test_knows_luhn(number: str) -> None:
    assert checks.is_luhn(number)
    assert not any(checks.is_luhn(number[:-1] + str(digit)) for digit in range(10) if str(digit) != number[-1])


def test_one_random_number_in_ten_passes_luhn() -> None:
    chance = random.Random(7)
    numbers = ["62" + "".join(chance.choices("0123456789", k=17)) for _ in range(500)]
    assert 25 < sum(map(checks.is_luhn, numbers)) < 90


def test_mobile_prefixes() -> None:
    assert checks.is_mobile("19212345678")
    assert not checks.is_mobile("15412345678")
    assert not checks.is_mobile("19412345678")


def test_landlines_have_an_area_code_and_seven_or_eight_digits() -> None:
    assert checks.is_landline("01062771234")
    assert checks.is_landline("03101234567")
    assert not checks.is_landline("0261234567")
    assert not checks.is_landline("010627712345")


@pytest.mark.parametrize("text", ["221.12.3.45", "2408:8000:1::5"])
def test_addresses_of_the_open_net(text: str) -> None:
    assert checks.is_public_address(text)


@pytest.mark.parametrize(
    "text",
    ["192.168.1.1", "10.0.0.1", "203.0.113.9", "2001:db8::1", "::1", "fe80::1", "256.1.1.1", "240.1.2.3", "224.1.2.3"],
)
def test_private_reserved_and_example_addresses(text: str) -> None:
    assert not checks.is_public_address(text)


def test_tables_hold_what_their_checks_ask_for() -> None:
    assert len(checks.regions()) == 35
    assert all(len(code) == 2 for code in checks.regions())
    assert checks.is_plate("使014578")
    assert not checks.is_plate("京ABCDEF")
    assert checks.is_name("欧阳修")
    assert not checks.is_name("本院")
