from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from passage_cases import batch_of, hash_of, plain_table, rows_of

from pipeline.clean.passages import Passages as Step
from pipeline.passages.table import Table
from schemas.errors import StoreError
from schemas.recipe import Passages

Freeze = Callable[..., Table]
LINES = [
    "首页 新闻 体育 财经 娱乐",
    "首頁　新聞　體育　財經　娛樂",
    "打印",
    "版权所有 2019",
    "版权所有 2020",
    "---",
    "",
]
LINES += ["客服：不客气。", "客服：您好。", "用户：谢谢", "责任编辑：张三", "同一句话，常常在文中出现，不在边上。"]
BODIES = [f"第{n}篇的正文自有一句长长的话，别处没有{n * '啊'}。" for n in range(6)]
documents = st.lists(
    st.lists(st.one_of(st.sampled_from(LINES), st.sampled_from(BODIES)), max_size=7).map("\n".join), max_size=14
)
FOOTER = "本文仅代表作者观点，与本站无关，转载请注明出处。"


def page(number: int, *, top: str = "", bottom: str = FOOTER) -> str:
    body = f"这是第{chr(0x4E00 + number)}页的正文，讲的是{chr(0x5E00 + number) * 40}的事情，前后都没有人讲过。"
    return "\n".join(part for part in (top, body, bottom) if part)


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(texts=documents, cut=st.integers(0, 14), least=st.integers(2, 3), share=st.sampled_from([0.001, 0.4]))
def test_counts_are_those_of_the_plain_definition_however_documents_are_cut(
    frozen: Freeze, unprotected: None, texts: list[str], cut: int, least: int, share: float
) -> None:
    passages = Passages(min_documents=least, min_share=0.001, inner_share=share, min_chars=4, inner_chars=12)
    wanted = {f"{hash_of(form):016x}": row for form, row in plain_table(texts, passages).items()}
    whole = frozen([texts], passages)
    assert rows_of(whole) == wanted
    assert frozen([texts[:cut], texts[cut:]], passages, memory=1000).hash == whole.hash


def test_furniture_is_found_in_other_script_width_punctuation_and_numbers(frozen: Freeze) -> None:
    shapes = [FOOTER, FOOTER.replace("，", ", "), "本文僅代表作者觀點，與本站無關，轉載請註明出處。"]
    texts = [page(n, top=f"阅读次数 {n * 7} · 全文字数 {n * 31}", bottom=shapes[n % 3]) for n in range(30)]
    table = frozen([texts], Passages())
    assert sorted(rows_of(table).values()) == [(30, "edge"), (30, "edge")]
    listed = table.path.with_name("lines.tsv").read_text("utf-8").splitlines()
    assert listed[0].split("\t") == ["documents", "share", "at_edges", "place", "line"]
    assert [row.split("\t")[:4] for row in listed[1:]] == [["30", "1.0000", "30", "edge"]] * 2


@pytest.mark.parametrize("edit", ["none", "one line", "one line each, in other places"])
def test_copies_and_reprints_make_no_furniture_of_each_other(frozen: Freeze, edit: str) -> None:
    body = [f"原文第{chr(0x4E00 + n)}段，说的是一件与众不同而又值得一读的往事{chr(0x6000 + n) * 5}。" for n in range(8)]
    texts = []
    for n in range(40):
        lines = list(body)
        if edit != "none":
            lines[3 if edit == "one line" else n % 8] += chr(0x7000 + n)
        texts.append("\n".join(lines))
    assert rows_of(frozen([texts], Passages())) == {}


def test_a_line_counts_once_for_all_copies_of_a_document(frozen: Freeze) -> None:
    copies = [page(n % 12) for n in range(60)]
    assert rows_of(frozen([copies], Passages(min_documents=13))) == {}
    assert [count for count, _ in rows_of(frozen([copies], Passages(min_documents=12))).values()] == [12]


@pytest.mark.parametrize(
    "line",
    [
        "第 十四 条　本条例自公布之日起施行。",
        "本办法自２０１８年３月１日起施行，原办法同时废止。",
        "## 第一章　总则",
        "中华人民共和国主席令",
        "全国人民代表大会常务委员会",
        "审判长　张三",
        "本规定由国务院负责解释。",
        "目　录",
        "关关雎鸠，在河之洲。",
        "春江潮水连海平，海上明月共潮生。",
        "（三）法律、行政法规规定的其他情形。",
        "| 指标名称与单位 | 二〇一九年 | 二〇二〇年 |",
        "参考答案：以上各项都正确",
        "import numpy as np",
        "},",
    ],
)
def test_lines_of_statutes_verse_tables_and_code_stay(frozen: Freeze, line: str) -> None:
    texts = [page(n, top=line, bottom=line) for n in range(30)]
    table = frozen([texts], Passages(min_chars=2))
    assert rows_of(table) == {}
    listed = table.path.with_name("lines.tsv").read_text("utf-8")
    assert line.strip() == "}," or f"stays (protected)\t{line.replace(chr(0x3000), ' ')}" in listed


def test_turns_of_a_dialogue_stay(frozen: Freeze) -> None:
    said = "客服：您好，这里是第{}号客服。\n用户：我想问{}。\n用户：好的，谢谢你了。\n客服：不客气，祝您生活愉快！"
    texts = [said.format(n, chr(0x5E00 + n) * 40) for n in range(30)]
    assert rows_of(frozen([texts], Passages(min_chars=4))) == {}
    alone = [text.replace("客服：您好", "您好") for text in texts]
    assert [count for count, _ in rows_of(frozen([alone], Passages(min_chars=4))).values()] == [30, 30], (
        "one turn is none"
    )


def test_a_frozen_table_that_was_changed_is_refused(frozen: Freeze) -> None:
    table = frozen([[page(n) for n in range(30)]], Passages())
    table.path.write_text("# line\tdocuments\tplace\n", "utf-8")
    with pytest.raises(StoreError, match="frozen passages are missing or changed"):
        Step().frozen([table]).clean(batch_of(["甲"]))


def test_nothing_read_freezes_an_empty_table(frozen: Freeze) -> None:
    assert rows_of(frozen([], Passages())) == rows_of(frozen([[]], Passages())) == {}
