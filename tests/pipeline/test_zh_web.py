"""What the preset `zh-web` keeps and drops, by short texts of each kind in `zh_web_cases.yaml`."""

from pathlib import Path

import pyarrow as pa
import pytest
import yaml

from pipeline.preset import preset
from pipeline.select import check_columns, checks_of, select
from pipeline.step import apply, build, columns_of
from schemas.recipe import Rule

STEPS = [build(spec) for spec in preset("zh-web")["steps"]]
RULES = [Rule(**rule) for rule in preset("zh-web")["select"]]
CASES = yaml.safe_load((Path(__file__).parent / "zh_web_cases.yaml").read_text("utf-8"))
LAW = CASES["kept"]["statute"]
GBK = (LAW * 2).encode("gb18030")
MOJIBAKE = {
    "mojibake": GBK.decode("latin-1"),
    "mojibake_han": "".join(char for char in GBK.decode("big5", "ignore") if "一" <= char <= "龥"),
}
DROPPED = CASES["dropped"] | MOJIBAKE


def measured(text: str) -> pa.RecordBatch:
    return apply(STEPS, pa.record_batch({"text": pa.array([text], pa.string())}))


def reason(text: str) -> str | None:
    checks = checks_of(RULES)
    failed = int(select(pa.Table.from_batches([measured(text)]), checks).failed[0])
    return None if failed < 0 else checks[failed].reason


def test_rules_test_columns_that_its_steps_measure() -> None:
    check_columns(RULES, columns_of(STEPS), [])


@pytest.mark.parametrize("text", CASES["kept"].values(), ids=CASES["kept"])
def test_keeps(text: str) -> None:
    assert reason(text) is None


@pytest.mark.parametrize(("wanted", "text"), DROPPED.items(), ids=DROPPED)
def test_drops(wanted: str, text: str) -> None:
    assert reason(text) == wanted


def test_a_page_loses_its_furniture_and_keeps_its_text() -> None:
    page = f"首页 > 法律 > 正文\n{LAW}\n责任编辑：张三\n京ICP备12345678号-1\n联系人13912345678"
    assert measured(page).column("text").to_pylist() == [LAW.replace("\u3000", " ") + "\n联系人[手机号]"]
