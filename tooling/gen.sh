#!/usr/bin/env bash
# Generates the Python code of the wire contract: tooling/gen.sh [target folder, default client/src]
# The generator is older than the newest grpcio on purpose: generated code refuses runtimes older than its generator.
set -euo pipefail
cd "$(dirname "$0")/.."
target="${1:-client/src}"
python="${PYTHON:-.venv/bin/python}"
package="$target/baznashr/v1"
fresh="$(mktemp -d)"
trap 'rm -rf "$fresh"' EXIT

protoc() {
  "${UV:-uv}" run --quiet --isolated --no-project --python "$python" \
    --with grpcio-tools==1.74.0 --with 'setuptools<81' --with mypy-protobuf==3.7.0 \
    python -m grpc_tools.protoc --proto_path=proto "$@"
}
protoc --python_out="$fresh" --mypy_out=quiet:"$fresh" proto/baznashr/v1/*.proto
protoc --grpc_python_out="$fresh" --mypy_grpc_out=quiet:"$fresh" proto/baznashr/v1/*_service.proto
# Only now: where the generator cannot be fetched, the code stays as it was.
mkdir -p "$package"
rm -f "$package"/*_pb2*.py "$package"/*_pb2*.pyi
cp "$fresh"/baznashr/v1/* "$package"
