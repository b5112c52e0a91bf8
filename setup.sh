#!/usr/bin/env bash
# Makes a virtual environment from a hash-pinned lock file.   usage: setup.sh VENV LOCK
set -euo pipefail
venv=$1 lock=$2

python=
for name in "${PYTHON:-python3}" python3.13 python3.12 python3.11; do
  if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then python=$name && break; fi
done
if [ -z "$python" ]; then
  echo "setup: no Python of at least 3.11 found (python3 is $(python3 --version 2>&1)). Install one, or set PYTHON=." >&2
  exit 2
fi

uv=$(command -v uv || true)
if [ ! -x "$venv/bin/python" ]; then
  echo "setup: making $venv with $("$python" --version)"
  if [ -n "$uv" ]; then "$uv" venv -q --python "$python" "$venv"
  elif ! "$python" -m venv "$venv"; then
    rm -rf "$venv"
    echo "setup: $python cannot make virtual environments. Install python3-venv (Debian) or uv." >&2
    exit 2
  fi
fi
# uv is several times as fast as pip; it is a help, not a need.
if [ -z "$uv" ] && "$venv/bin/python" -m pip install -q --disable-pip-version-check uv 2>/dev/null; then uv=$venv/bin/uv; fi

echo "setup: installing the packages of $lock"
# Compiled once, here: uv leaves it to the first import, and where nothing may be written then, to every import.
if [ -n "$uv" ]; then "$uv" pip install -q --compile-bytecode --python "$venv/bin/python" --require-hashes -r "$lock"
else "$venv/bin/python" -m pip install -q --disable-pip-version-check --require-hashes -r "$lock"; fi
