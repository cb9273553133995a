"""datatrove's four MinHash stages over the JSON lines of a folder, one file a task: SHARDS OUT WORKERS."""

import sys

from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.dedup import (
    MinhashDedupBuckets,
    MinhashDedupCluster,
    MinhashDedupFilter,
    MinhashDedupSignature,
)
from datatrove.pipeline.dedup.minhash import MinhashConfig
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers.jsonl import JsonlWriter


def main(shards: str, out: str, workers: int) -> None:
    config = MinhashConfig()
    signatures = LocalPipelineExecutor(
        [JsonlReader(shards), MinhashDedupSignature(f"{out}/signatures", config=config, language="fas")],
        tasks=workers,
        workers=workers,
        logging_dir=f"{out}/logs/1",
    )
    buckets = LocalPipelineExecutor(
        [MinhashDedupBuckets(f"{out}/signatures", f"{out}/buckets", config=config, lines_to_buffer=1000)],
        tasks=config.num_buckets,
        workers=workers,
        logging_dir=f"{out}/logs/2",
        depends=signatures,
    )
    clusters = LocalPipelineExecutor(
        [MinhashDedupCluster(f"{out}/buckets", f"{out}/removed", config=config, save_cluster_id=True)],
        tasks=1,
        workers=1,
        logging_dir=f"{out}/logs/3",
        depends=buckets,
    )
    LocalPipelineExecutor(
        [JsonlReader(shards), MinhashDedupFilter(f"{out}/removed"), JsonlWriter(f"{out}/kept", compression=None)],
        tasks=workers,
        workers=workers,
        logging_dir=f"{out}/logs/4",
        depends=clusters,
    ).run()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
