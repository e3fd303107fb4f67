-- The end of the account's latest chunk. Microseconds.
ALTER TABLE account ADD COLUMN sealed_before INTEGER NOT NULL DEFAULT -9223372036854775808;

-- The samples of an agent in a finished hour, four hours or day, as columns of bits; docs/storage/chunk-format.md.
CREATE TABLE metric_chunk (
    account_id INTEGER NOT NULL,
    agent_id TEXT NOT NULL,
    starts_at INTEGER NOT NULL,
    ends_at INTEGER NOT NULL,
    sample_count INTEGER NOT NULL,
    first_at INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    lowest_sequence INTEGER NOT NULL,
    highest_sequence INTEGER NOT NULL,
    times BLOB NOT NULL,
    summary BLOB NOT NULL,
    packed BLOB NOT NULL,
    PRIMARY KEY (account_id, agent_id, starts_at)
);

CREATE INDEX metric_chunk_by_time ON metric_chunk (account_id, ends_at DESC, agent_id);
