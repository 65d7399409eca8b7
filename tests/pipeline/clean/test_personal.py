import json
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.clean.personal import DEFAULT, Personal, _suspects, mask
from pipeline.personal.patterns import TYPES, candidate
from pipeline.step import build
from schemas.errors import RecipeError

KEY = "only for this test, 32 characters"
MASKED = {
    "mobile": ("电话13800138001。", "电话[手机号]。"),
    "mobile-86": ("电话+86 138-0013-8001", "电话[手机号]"),
    "mobile-full-width": ("电话１３８００１３８００１", "电话[手机号]"),
    "mobile-spaced": ("请拨 192 1234 5678 联系", "请拨 [手机号] 联系"),
    "identity": ("身份证11010519491231002x，", "身份证[身份证号]，"),
    "identity-old": ("身份证号130503670401001。", "身份证号[身份证号]。"),
    "credit": ("代码91350100M000100Y43，", "代码[统一社会信用代码]，"),
    "card": ("开户银行：工商银行，卡号 6222 0200 0000 0000 000", "开户银行：工商银行，卡号 [银行卡号]"),
    "card-list": ("卡号：6222020000000000000、6217000000000000004", "卡号：[银行卡号]、[银行卡号]"),
    "email": ("邮箱：zhang.san@mail.com.cn；", "邮箱：[邮箱]；"),
    "email-of-digits": ("13800138000@qq.com", "[邮箱]"),
    "two": ("13800138001、15912345678", "[手机号]、[手机号]"),
}
KEPT = {
    "article": "依照刑法第二百三十四条第13800138001000号文件处理。",
    "hotline": "热线12345、12315，报警110，电话400-820-8820。",
    "landline": "联系电话：010-62771234，传真（010）62771235。",
    "example": "写信给 someone@example.com 或 a@b.test。",
    "example-mobile": "如13800138000",
    "example-identity": "如123456789012345678",
    "service": "git clone git@github.com:a/b.git，联系 noreply@github.com",
    "mailing-list": "发到 debian@lists.debian.org",
    "unused-prefix": "15412345678、12345678901",
    "timestamp": "时间戳1380013800112，编号20230115123456789",
    "inside": "订单A13800138001，版本1.13800138001，哈希0x13800138001ff",
    "placeholder": "13800000000",
    "luhn-without-word": "编号6222020000000000000",
    "word-on-another-line": "卡号\n6222020000000000000",
    "not-luhn": "卡号6222020000000000001",
    "old-identity-without-word": "编号130503670401001",
    "isbn": "ISBN 9787302423287，卡号未填",
    "standard": "GB 11643-1999，GB/T 2260-2007",
    "code": "npm install a@1.2.3，@装饰器",
    "code-number": "```\nseed = 13800138001\n```\n`13800138001` 与 $x = 13800138001$",
}


def batch_of(*texts: str) -> pa.RecordBatch:
    return pa.record_batch({"text": pa.array(texts)})


def cleaned(text: str, **params: Any) -> dict[str, Any]:
    row: dict[str, Any] = build({"kind": "personal", **params}).clean(batch_of(text)).to_pylist()[0]  # type: ignore[attr-defined]
    return row


@pytest.mark.parametrize(("text", "wanted"), MASKED.values(), ids=MASKED)
def test_masks(text: str, wanted: str) -> None:
    assert mask(text) == wanted


@pytest.mark.parametrize("text", KEPT.values(), ids=KEPT)
def test_keeps_what_is_nobodys(text: str) -> None:
    assert mask(text) == text


@pytest.mark.parametrize("text", [*(text for text, _ in MASKED.values()), *KEPT.values()])
def test_the_step_finds_what_the_function_finds(text: str) -> None:
    assert cleaned(text)["text"] == mask(text)


def test_counts_and_masks_only_the_types_asked_for() -> None:
    after = Personal(types=("mobile",)).clean(batch_of("a@mail.cn 13800138001", "无", "13800138001 15912345678"))
    assert after.column("text").to_pylist() == ["a@mail.cn [手机号]", "无", "[手机号] [手机号]"]
    assert after.column("personal_count").to_pylist() == [1, 0, 2]
    assert after.column("personal_mobile_count").to_pylist() == [1, 0, 2]
    assert after.column("personal_spans").to_pylist()[1] == "[]"
    assert "personal_email_count" not in after.schema.names


def test_spans_lie_in_the_text_that_leaves_the_step() -> None:
    row = cleaned("𠮷a@mail.cn，电话13800138001。")
    spans = json.loads(row["personal_spans"])
    assert [row["text"][span["start"] : span["end"]] for span in spans] == ["[邮箱]", "[手机号]"]
    assert [span["type"] for span in spans] == ["email", "mobile"]
    assert all(0 < span["confidence"] <= 1 for span in spans)


def test_each_type_has_its_action() -> None:
    text = "a@mail.cn，电话13800138001，身份证11010519491231002X"
    row = cleaned(text, action="mask", actions={"email": "flag", "identity_card": "redact"})
    assert row["text"] == "a@mail.cn，电话138****8001，身份证[身份证号]"
    assert row["personal_count"] == 3
    assert cleaned(text, action="flag")["text"] == text


def test_pseudonyms_follow_from_the_key_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setenv("YULIAO_TEST_KEY", KEY)
    (tmp_path / "key").write_text(KEY + "\n", "utf-8")
    (tmp_path / "other").write_text(KEY[::-1], "utf-8")
    text = "电话13800138001，+86138 0013 8001，15912345678"
    one = cleaned(text, action="pseudonymise", key="env:YULIAO_TEST_KEY")["text"]
    assert one == cleaned(text, action="pseudonymise", key=f"file:{tmp_path / 'key'}")["text"]
    assert one != cleaned(text, action="pseudonymise", key=f"file:{tmp_path / 'other'}")["text"]
    first, second, third = one.removeprefix("电话").split("，")
    assert "+86" + first == second.replace(" ", "") != "+86" + third
    assert [len(part) for part in second.split(" ")] == [6, 4, 4]


def test_the_key_is_told_apart_but_never_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    step = Personal(action="pseudonymise", key=f"file:{tmp_path / 'a'}")
    (tmp_path / "a").write_text(KEY, "utf-8")
    (tmp_path / "b").write_text(KEY[::-1], "utf-8")
    other = Personal(action="pseudonymise", key=f"file:{tmp_path / 'b'}")
    assert step.identity()["resources"] != other.identity()["resources"]
    said = json.dumps([step.identity(), step.spec(), [part.model_dump() for part in step.resources()]])
    assert KEY not in said
    assert KEY.encode().hex() not in said


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"types": ["shoe_size"]}, "types"),
        ({"action": "pseudonymise"}, "go together"),
        ({"key": "env:KEY"}, "go together"),
        ({"action": "pseudonymise", "key": "my secret"}, "key"),
        ({"types": ["email"], "actions": {"mobile": "flag"}}, "mobile"),
    ],
)
def test_refuses_what_does_not_fit(params: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=message) as caught:
        build({"kind": "personal", **params})
    assert "my secret" not in str(caught.value)


def test_says_where_a_key_is_missing_or_short(monkeypatch: pytest.MonkeyPatch) -> None:
    step = Personal(action="pseudonymise", key="env:YULIAO_NO_KEY")
    with pytest.raises(RecipeError, match="YULIAO_NO_KEY"):
        step.resources()
    monkeypatch.setenv("YULIAO_NO_KEY", "short")
    with pytest.raises(RecipeError, match="16 bytes") as caught:
        step.resources()
    assert "short" not in str(caught.value)


def test_every_type_can_be_found_by_the_step() -> None:
    """The prefilter of each type lets its own examples through."""
    texts = {
        "email": "a@mail.cn",
        "identity_card": "11010519491231002X",
        "social_credit": "91350100M000100Y43",
        "bank_card": "卡号6222020000000000000",
        "mobile": "13800138001",
        "landline": "010-62771234",
        "ip": "221.12.3.45",
        "passport": "护照E12345678",
        "permit": "台胞证12345678",
        "plate": "粤B12345D",
        "wechat": "微信号：zhang_san88",
        "qq": "QQ：12345678",
        "address": "北京市海淀区中关村大街27号",
        "name": "患者：张三",
    }
    assert set(texts) == set(TYPES)
    for kind, text in texts.items():
        assert cleaned(text, types=[kind])["personal_count"] == 1, kind


PIECES = [
    "13800138001",
    "１３８",
    "138",
    "0013",
    "8",
    "Ｘ",
    "x",
    " ",
    "-",
    "－",
    "@",
    "＠",
    "ｂ",
    "，",
    "甲",
    "é",
    "😀",
    "123456",
    "\n",
]


@settings(deadline=None)
@given(st.lists(st.lists(st.sampled_from(PIECES), max_size=16).map("".join), max_size=4))
def test_rows_that_may_hold_personal_data_are_those_of_the_pattern(texts):
    column = pa.array(["13800138001", *texts], pa.string())[1:]
    wanted = pc.indices_nonzero(pc.match_substring_regex(column, candidate(DEFAULT))).to_pylist()
    assert _suspects(column, DEFAULT) == wanted
