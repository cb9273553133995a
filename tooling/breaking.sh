#!/usr/bin/env bash
# Refuses changes of proto/ that break callers of the last release; before the first one, of the last commit.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
base=$(git describe --tags --abbrev=0 --match 'v*' 2>/dev/null || echo HEAD)
.venv/bin/buf breaking --against ".git#ref=$base"
