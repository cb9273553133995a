#!/usr/bin/env bash
# Creates or updates .venv as uv.lock says, starting from nothing but Python 3.12 or 3.13.
#
# Usage: tooling/setup.sh [GROUP...]
#
# Dependency groups named here are installed beside the default ones; nothing installed before is taken away, unless
# the folder was moved. A run that finds everything up to date needs neither network nor uv. Where something is
# missing, it says so in one sentence and ends with status 1.
set -euo pipefail
cd -P "$(dirname "${BASH_SOURCE[0]}")/.."

UV_VERSION=0.13.9
UV_MINIMUM=0.9
LOG=.uv/setup.log
STAMP=.venv/.setup${1:+-$*}

fail() {
    echo "setup: $1" >&2
    exit 1
}

# What the environment depends on; the folder too, because the workspace's own packages are installed by its path.
fingerprint() {
    echo "$PWD"
    cksum uv.lock pyproject.toml client/pyproject.toml service/pyproject.toml tooling/setup.sh
}

# Prints the interpreter behind a candidate if its version suits. Running it is the only sure test: pyenv's shims lie
# on the PATH for versions that are not switched on, and a virtual environment may outlive its interpreter.
interpreter_of() {
    "$1" -c '
import sys, sysconfig
if sys.version_info[:2] not in {(3, 12), (3, 13)} or sysconfig.get_config_var("Py_GIL_DISABLED"):
    sys.exit(1)
print(getattr(sys, "_base_executable", None) or sys.executable)' 2>/dev/null
}

find_python() {
    local candidate versions="${PYENV_ROOT:-${HOME:-}/.pyenv}/versions"
    for candidate in .venv/bin/python python3.13 python3.12 python3 python; do
        interpreter_of "$candidate" && return
    done
    while read -r candidate; do
        interpreter_of "$candidate/bin/python" && return
    done < <(printf '%s\n' "$versions"/3.1[23].* | sort -rV)
    fail "Python 3.12 or 3.13 is needed, and neither is on the PATH or in $versions:\
 install one (with pyenv: pyenv install 3.13) and run this again."
}

# Forgets what earlier runs, for whatever groups, said of another lock. The programs of an environment name the folder
# they were installed in, so one that was moved goes whole.
forget_stale() {
    local stamp now
    now=$(fingerprint)
    for stamp in .venv/.setup*; do
        if [[ -f $stamp && "$(head -n 1 "$stamp")" != "$PWD" ]]; then
            rm -rf .venv
        elif [[ -f $stamp && "$(<"$stamp")" != "$now" ]]; then
            rm "$stamp"
        fi
    done
}

is_recent() {
    local version
    version=$("$1" --version 2>/dev/null) || return 1
    version=${version#uv }
    [[ $(printf '%s\n' "$UV_MINIMUM" "${version%% *}" | sort -V | head -n 1) == "$UV_MINIMUM" ]]
}

find_uv() {
    is_recent uv && echo uv && return
    is_recent .uv/bin/uv && echo .uv/bin/uv && return
    "$1" -m venv .uv >>"$LOG" 2>&1 ||
        fail "$1 cannot create virtual environments: install its venv module (Debian: apt-get install python3-venv)."
    .uv/bin/python -m pip install "uv==$UV_VERSION" >>"$LOG" 2>&1 ||
        fail "uv $UV_VERSION could not be installed from PyPI: check the network or pip's index settings ($LOG has pip's words)."
    echo .uv/bin/uv
}

if [[ -f $STAMP && "$(<"$STAMP")" == "$(fingerprint)" && -x .uv/uv ]] && .venv/bin/python -c '' 2>/dev/null; then
    exit 0
fi

python=$(find_python)
echo "setup: preparing .venv with $python (the first time takes a minute or two)" >&2
mkdir -p .uv
: >"$LOG"
uv=$(find_uv "$python")
forget_stale

groups=()
for group in "$@"; do groups+=(--group "$group"); done
unset VIRTUAL_ENV
export UV_PROJECT_ENVIRONMENT=.venv UV_PYTHON_DOWNLOADS=never
"$uv" sync --frozen --inexact --python "$python" ${groups[@]+"${groups[@]}"} >>"$LOG" 2>&1 ||
    fail "the packages of uv.lock could not be installed: check that PyPI can be reached ($LOG has uv's words)."
ln -sf "$(realpath "$(command -v "$uv")")" .uv/uv
fingerprint >"$STAMP"
