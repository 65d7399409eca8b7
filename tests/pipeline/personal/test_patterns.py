import re
import time
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.personal import checks
from pipeline.personal.actions import masked, pseudonym, replaced
from pipeline.personal.patterns import LABELS, TYPES, Type, candidate, find

KEY = b"only for this test, 32 characters"
BEFORE = ("证件号", "经查，", "他说：", "信息如下（", "", "\n", "编号 ")
AFTER = ("。", "，请核对", "）", "", "\n", " 号")
FOUND = {
    "landline": ["电话：010-62771234", "(0571)87654321", "家里座机01062771234"],
    "ip": ["登录IP 221.12.3.45", "2408:8000:1::5"],
    "passport": ["护照号E12345678", "护照EA1234567"],
    "permit": ["往来港澳通行证C12345678", "台胞证12345678"],
    "plate": ["京AD12345", "粤B12345D", "沪A·12345", "京A1234警", "使014578", "粤Z1234港", "苏A1234学", "沪A0023领"],
    "wechat": ["微信号：zhang_san88", "WeChat ID: zhangsan"],
    "qq": ["QQ：12345678", "扣扣号87654321"],
    "address": [
        "他住在北京市海淀区中关村大街27号3号楼501室",
        "家在杭州市西湖区文三路138号",
        "地址：人民路12号",
    ],
    "name": ["患者：张三，男", "姓名：欧阳修远", "联系人：买买提·阿凡提", "姓名：李四性别：男"],
}
KEPT = {
    "landline": [
        "市政府办公室电话：010-62771234",
        "举报电话010-62771234",
        "编号01062771234",
        "400-820-8820",
        "110、12345",
    ],
    "ip": ["版本221.12.3.45", "192.168.1.1", "8.8.8.8", "见1.2.3.4 节", "std::vector", "12:30:45"],
    "passport": ["编号E12345678"],
    "permit": ["编号C12345678", "12345678"],
    "plate": ["京ICP备12345678号", "粤B2-20040001", "最ABCDEF"],
    "wechat": ["微信公众号发布", "微信支付", "wx_api_key_name"],
    "qq": ["13912@qq.com", "QQ音乐2023", "QQ号：12345"],
    "address": ["市人民政府地址：人民路12号", "在人民路12号", "第12号"],
    "name": ["原告：本院认为", "姓名：", "张三说", "患者：经治疗好转"],
}


def cases(table: dict[str, list[str]]) -> list[tuple[str, str]]:
    return [(kind, text) for kind, texts in table.items() for text in texts]


@pytest.mark.parametrize(("kind", "text"), cases(FOUND))
def test_finds(kind: Type, text: str) -> None:
    assert [span.type for span in find(text, [kind])] == [kind]


@pytest.mark.parametrize(("kind", "text"), cases(KEPT))
def test_leaves(kind: Type, text: str) -> None:
    assert find(text, [kind]) == []


digits = st.text("0123456789", min_size=19, max_size=19)
dates = st.dates(min_value=date(1900, 1, 1), max_value=date(2025, 12, 31))
contexts = st.tuples(st.sampled_from(BEFORE), st.sampled_from(AFTER))


@st.composite
def identity_cards(draw: st.DrawFn) -> str:
    first = (
        draw(st.sampled_from(sorted(checks.regions()))) + draw(digits)[:4] + f"{draw(dates):%Y%m%d}" + draw(digits)[:3]
    )
    return first + checks.identity_digit(first)


@st.composite
def credit_codes(draw: st.DrawFn) -> str:
    region = draw(st.sampled_from(sorted(checks.regions())))
    code = draw(st.text(checks.CREDIT, min_size=8, max_size=8))
    first = draw(st.sampled_from(["91", "92", "12", "51"])) + region + draw(digits)[:4] + code
    first += checks.organisation_digit(code)
    return first + checks.credit_digit(first)


@st.composite
def cards(draw: st.DrawFn) -> str:
    first = "62" + draw(digits)[: draw(st.integers(13, 16))]
    return first + checks.luhn_digit(first)


@settings(max_examples=200, deadline=None)
@given(number=identity_cards(), around=contexts)
def test_every_valid_identity_card_is_found_and_no_invalid_one(number: str, around: tuple[str, str]) -> None:
    text = number.join(around)
    spans = find(text, ["identity_card"])
    assert [text[span.start : span.end] for span in spans] == [number]
    for last in set("0123456789X") - {number[17]}:
        assert find((number[:17] + last).join(around), ["identity_card"]) == []


@settings(max_examples=200, deadline=None)
@given(number=credit_codes(), around=contexts)
def test_every_valid_credit_code_is_found_and_no_invalid_one(number: str, around: tuple[str, str]) -> None:
    text = number.join(around)
    assert [text[span.start : span.end] for span in find(text, ["social_credit"])] == [number]
    for last in set(checks.CREDIT) - {number[17]}:
        assert find((number[:17] + last).join(around), ["social_credit"]) == []


@settings(max_examples=200, deadline=None)
@given(number=cards(), around=contexts)
def test_every_valid_card_after_a_word_is_found_and_no_other(number: str, around: tuple[str, str]) -> None:
    before, after = "卡号：", around[1]
    text = before + number + after
    assert [text[span.start : span.end] for span in find(text, ["bank_card"])] == [number]
    assert find(number.join(around), ["bank_card"]) == []
    for last in set("0123456789") - {number[-1]}:
        assert find(before + number[:-1] + last + after, ["bank_card"]) == []


PIECES = st.one_of(
    st.sampled_from([text for texts in (*FOUND.values(), *KEPT.values()) for text in texts]),
    st.sampled_from(
        ["卡号", "6222020000000000000", "、", "\n", "11010519491231002X", "13912345678", "a@b.cn", *LABELS.values()]
    ),
    st.text(max_size=6),
)
texts = st.lists(PIECES, max_size=8).map("".join)


@settings(max_examples=300, deadline=None)
@given(text=texts)
def test_spans_are_in_order_apart_and_pass_the_prefilter(text: str) -> None:
    spans = find(text)
    ends = [0, *(span.end for span in spans)]
    assert all(end <= span.start < span.end <= len(text) for end, span in zip(ends, spans, strict=False))
    if spans:
        assert pc.match_substring_regex(pa.array([text]), candidate(TYPES))[0].as_py()


@settings(max_examples=300, deadline=None)
@given(text=texts)
def test_labels_leave_nothing_to_find_again(text: str) -> None:
    new, moved = replaced(text, find(text), lambda _: "redact", None)
    assert [new[span.start : span.end] for span in moved] == [LABELS[span.type] for span in moved]
    assert find(new) == []


@settings(max_examples=200, deadline=None)
@given(text=st.text(max_size=40), kind=st.sampled_from(TYPES))
def test_any_value_is_masked_in_its_length_and_has_one_pseudonym(text: str, kind: Type) -> None:
    assert len(masked(kind, text)) == len(text)
    assert pseudonym(kind, text, KEY) == pseudonym(kind, text, KEY)


@settings(max_examples=200, deadline=None)
@given(number=st.one_of(identity_cards(), credit_codes(), cards()))
def test_pseudonyms_have_the_shape_and_no_check_digit(number: str) -> None:
    kind: Type = "bank_card"
    if len(number) == 18:
        kind = "identity_card" if checks.is_identity_card(number) else "social_credit"
    if kind == "social_credit" and not checks.is_social_credit(number):
        kind = "bank_card"
    other = pseudonym(kind, number, KEY)
    assert re.sub("[0-9]", "0", re.sub("[A-Z]", "A", other[:-1])) == re.sub(
        "[0-9]", "0", re.sub("[A-Z]", "A", number[:-1])
    )
    assert find("卡号" + other, [kind]) == []


@pytest.mark.parametrize(
    "piece", ["1", "a", "@", "a@", "a.", "1 ", "62220 ", "路1号", "京A", "微信:", "姓名:", "`", "$1", "中", "2:", "0"]
)
def test_long_runs_take_time_in_proportion(piece: str) -> None:
    """Ten times the text may take fifty times as long at most; a square would take a hundred. The better of two turns
    counts: the first may compile a kernel.
    """
    times = []
    for size in (20_000, 200_000):
        turns = []
        for _ in range(2):
            started = time.process_time()
            find(piece * (size // len(piece)))
            turns.append(time.process_time() - started)
        times.append(min(turns))
    assert times[1] < 50 * max(times[0], 0.002)
