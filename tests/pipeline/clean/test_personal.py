import random

import pyarrow as pa
import pytest

from pipeline.clean.personal import Personal, is_identity_card, is_luhn, mask
from pipeline.step import build
from schemas.errors import RecipeError

IDENTITY = [
    "11010519491231002X",
    "440524188001010014",
    "34052419800101001X",
    "53010219200508011X",
    "810000199001010019",
]
NO_IDENTITY = [
    "110105194912310021",  # check digit
    "110105200102290010",  # 29 February 2001
    "999999199001010016",  # province 99
    "110105194913310024",  # month 13
]
MASKED = {
    "mobile": ("电话13800138000。", "电话[手机号]。"),
    "mobile-86": ("电话+86 138-0013-8000", "电话[手机号]"),
    "mobile-full-width": ("电话１３８００１３８０００", "电话[手机号]"),
    "mobile-spaced": ("请拨 192 1234 5678 联系", "请拨 [手机号] 联系"),
    "identity": ("身份证11010519491231002x，", "身份证[身份证号]，"),
    "card": ("开户银行：工商银行，卡号 6222 0200 0000 0000 000", "开户银行：工商银行，卡号 [银行卡号]"),
    "email": ("邮箱：zhang.san@mail.com.cn；", "邮箱：[邮箱]；"),
    "email-of-digits": ("13800138000@qq.com", "[邮箱]"),
    "two": ("13800138000、15912345678", "[手机号]、[手机号]"),
}
KEPT = {
    "article": "依照刑法第二百三十四条第13800138000000号文件处理。",
    "hotline": "热线12345、12315，报警110，电话400-820-8820。",
    "landline": "联系电话：010-62771234，传真（010）62771235。",
    "example": "写信给 someone@example.com 或 a@b.test。",
    "service": "git clone git@github.com:a/b.git，联系 noreply@github.com",
    "mailing-list": "发到 debian@lists.debian.org",
    "unused-prefix": "15412345678、12345678901",
    "timestamp": "时间戳1380013800012，编号20230115123456789",
    "inside": "订单A13800138000，版本1.13800138000，哈希0x13800138000ff",
    "placeholder": "13800000000",
    "luhn-without-word": "编号6222020000000000000",
    "not-luhn": "卡号6222020000000000001",
    "isbn": "ISBN 9787302423287，卡号未填",
    "standard": "GB 11643-1999，GB/T 2260-2007",
    "code": "npm install a@1.2.3，@装饰器",
}


@pytest.mark.parametrize(("text", "wanted"), MASKED.values(), ids=MASKED)
def test_masks(text: str, wanted: str) -> None:
    assert mask(text) == wanted


@pytest.mark.parametrize("text", KEPT.values(), ids=KEPT)
def test_keeps_what_is_nobodys(text: str) -> None:
    assert mask(text) == text


@pytest.mark.parametrize("number", IDENTITY)
def test_knows_identity_cards(number: str) -> None:
    assert is_identity_card(number)
    assert mask(f"号码{number}。") == "号码[身份证号]。"


@pytest.mark.parametrize("number", NO_IDENTITY)
def test_knows_what_only_looks_like_an_identity_card(number: str) -> None:
    assert not is_identity_card(number)
    assert mask(number) == number


def test_one_random_number_in_ten_passes_luhn_and_none_is_masked_without_a_word() -> None:
    chance = random.Random(7)
    numbers = ["62" + "".join(chance.choices("0123456789", k=17)) for _ in range(500)]
    assert 25 < sum(map(is_luhn, numbers)) < 90
    assert all(
        mask(f"编号 {number} 号") == f"编号 {number} 号" for number in numbers if not is_identity_card(number[:18])
    )


def test_counts_and_masks_only_the_types_asked_for() -> None:
    batch = pa.record_batch({"text": pa.array(["a@mail.cn 13800138000", "无", "13800138000 15912345678"])})
    after = Personal(types=("mobile",)).clean(batch)
    assert after.column("text").to_pylist() == ["a@mail.cn [手机号]", "无", "[手机号] [手机号]"]
    assert after.column("personal_count").to_pylist() == [1, 0, 2]


def test_refuses_an_unknown_type() -> None:
    with pytest.raises(RecipeError, match="types"):
        build({"kind": "personal", "types": ["shoe_size"]})
