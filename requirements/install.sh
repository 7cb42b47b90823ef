#!/bin/sh
# install.sh run|all UV VENV [PYTHON]
# Makes the environment VENV hold what requirements/run.txt or all.txt pins, and this project, editable. PYTHON is
# a name, a path or a version; without it the environment that is there stays, and a new one gets what fits
# pyproject.toml.
set -eu
cd "$(dirname "$0")/.."
lock=requirements/$1.txt
uv=$2
venv=$3
python=${4:-}

version() { "$1" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null || echo none; }

if [ -n "$python" ]; then
  found=$(requirements/find-python.sh "$uv" "$python") || exit 2
  case $(version "$found") in
    3.11.* | 3.12.* | 3.13.*) ;;
    *)
      echo "make: $found is Python $(version "$found"); 3.11, 3.12 and 3.13 work: make setup PYTHON=python3.12" >&2
      exit 2
      ;;
  esac
  [ "$(version "$venv/bin/python")" = "$(version "$found")" ] || rm -rf "$venv"
fi
# Without its pyvenv.cfg, as an interrupted removal leaves it, the environment's Python would be the system's.
if [ ! -f "$venv/pyvenv.cfg" ] || [ "$(version "$venv/bin/python")" = none ]; then
  rm -rf "$venv"
  "$uv" venv --quiet ${found:+--python "$found"} "$venv"
fi
"$uv" pip install --quiet --python "$venv/bin/python" --require-hashes --no-build -r "$lock"

# Compiled once, also where PYTHONDONTWRITEBYTECODE would have every later start compile it again.
"$venv/bin/python" -m compileall -q core methods reports benchmarks harness.py

# The rest is done again only where the project or a lock changed.
state=$(cat pyproject.toml requirements/run.txt requirements/all.txt | cksum)
stamp=$venv/installed
[ ! -f "$stamp" ] || [ "$(cat "$stamp")" != "$state" ] || exit 0
"$uv" pip install --quiet --python "$venv/bin/python" --no-deps --no-build-isolation --editable .
# The same for what a run imports.
PYTHONDONTWRITEBYTECODE='' "$venv/bin/python" -c 'import matplotlib.pyplot, open_clip, pandas, pyarrow.parquet, \
  scipy.stats, seaborn, torch, torchaudio, torchvision, transformers, typer'
echo "$state" >"$stamp"
