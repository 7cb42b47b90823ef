#!/bin/sh
# install.sh run|all UV [PYTHON]
# Makes .venv hold what requirements/run.txt or all.txt pins, and this project, editable. PYTHON is a name, a
# path or a version; without it the environment that is there stays, and a new one gets what fits pyproject.toml.
set -eu
cd "$(dirname "$0")/.."
lock=requirements/$1.txt
uv=$2
python=${3:-}

version() { "$1" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null || echo none; }

if [ -n "$python" ]; then
  # pyenv's python3.12 runs only where PYENV_VERSION names it.
  if command -v pyenv >/dev/null; then
    PYENV_VERSION="$(pyenv version-name):$(pyenv versions --bare --skip-aliases | paste -sd: -)"
    export PYENV_VERSION
  fi
  found=$("$uv" python find --system --no-python-downloads "$python" 2>/dev/null) || {
    echo "make: there is no Python '$python'; install it, or name another: make setup PYTHON=python3.12" >&2
    exit 2
  }
  case $(version "$found") in
    3.11.* | 3.12.* | 3.13.*) ;;
    *)
      echo "make: $found is Python $(version "$found"); 3.11, 3.12 and 3.13 work: make setup PYTHON=python3.12" >&2
      exit 2
      ;;
  esac
  [ "$(version .venv/bin/python)" = "$(version "$found")" ] || rm -rf .venv
fi
[ "$(version .venv/bin/python)" != none ] || "$uv" venv --quiet --clear ${found:+--python "$found"} .venv

# What is installed by now stands in a stamp per lock file; all.txt contains run.txt.
wanted=$(cat pyproject.toml requirements/run.txt requirements/all.txt | cksum)
for stamp in ".venv/installed-$1" .venv/installed-all; do
  [ ! -f "$stamp" ] || [ "$(cat "$stamp")" != "$wanted" ] || exit 0
done
"$uv" pip install --quiet --python .venv/bin/python --require-hashes --no-build -r "$lock"
"$uv" pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation --editable .
# Compiled once, also where PYTHONDONTWRITEBYTECODE would have every later start compile them again.
PYTHONDONTWRITEBYTECODE='' .venv/bin/python -c 'import matplotlib.pyplot, open_clip, pandas, pyarrow.parquet, \
  scipy.stats, seaborn, torch, torchaudio, torchvision, transformers, typer'
echo "$wanted" >".venv/installed-$1"
