#!/bin/sh
# find-python.sh UV NAME
# Prints the path of a Python, given by name, path or version; exit code 2 where it is not on this machine.
set -eu
# pyenv's python3.12 runs only where PYENV_VERSION names it.
if command -v pyenv >/dev/null; then
  PYENV_VERSION="$(pyenv version-name):$(pyenv versions --bare --skip-aliases | paste -sd: -)"
  export PYENV_VERSION
fi
"$1" python find --system --no-python-downloads "$2" 2>/dev/null || {
  echo "make: there is no Python '$2'; install it, or name another: make setup PYTHON=python3.12" >&2
  exit 2
}
