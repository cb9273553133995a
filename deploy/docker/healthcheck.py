"""Ends with 0 where the server in this container says SERVING, else with 1. Usage: healthcheck.py [HOST:PORT].

It asks the port for probes, which is in clear and answers health alone.
"""

import sys

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

address = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:50052"
with grpc.insecure_channel(address) as channel:
    try:
        answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=3)
    except grpc.RpcError as error:
        sys.exit(f"{address}: {error.code().name}")  # type: ignore[attr-defined]  # raised errors are calls
sys.exit(answer.status != health_pb2.HealthCheckResponse.SERVING)
