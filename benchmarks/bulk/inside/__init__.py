"""Programs that run inside the peers' environments; nothing else here imports them."""
