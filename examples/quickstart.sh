#!/usr/bin/env bash
# From a clone to a published dataset: makes .venv, installs yuliao into it, runs the bundled sample into demo/.
# 从克隆到发布：建立 .venv，安装 yuliao，运行自带示例，结果在 demo/。
# PYTHON chooses another interpreter; further arguments go to `yuliao run`.
set -euo pipefail
cd "$(dirname "$0")/.."
python="${PYTHON:-python3}"
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
  echo "yuliao needs Python 3.11 or newer, $python is $("$python" --version); set PYTHON to a newer one" >&2
  exit 2
fi
if ! "$python" -m venv .venv; then
  echo "$python has no venv module; on Debian and Ubuntu: apt-get install python3-venv" >&2
  exit 2
fi
echo "installing into .venv, a minute or two ..." >&2
.venv/bin/pip install --quiet --disable-pip-version-check -c constraints.txt .
.venv/bin/yuliao run examples/sample/recipe.yaml --workspace demo "$@"
echo
echo "the published version · 已发布的版本:"
.venv/bin/yuliao show demo/cn-sample --workspace demo
echo "its report · 其报告:"
.venv/bin/yuliao report demo/cn-sample --workspace demo
