#!/usr/bin/env bash
# Fails when the committed code of the wire contract is not what tooling/gen.sh makes of the contract.
set -euo pipefail
cd "$(dirname "$0")/.."
fresh="$(mktemp -d)"
trap 'rm -rf "$fresh"' EXIT
tooling/gen.sh "$fresh"
if ! diff --recursive --brief --exclude=__init__.py --exclude=__pycache__ "$fresh/baznashr/v1" client/src/baznashr/v1; then
  echo "The generated code is stale: run 'make gen' and commit the result." >&2
  exit 1
fi
