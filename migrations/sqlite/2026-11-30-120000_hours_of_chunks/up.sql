-- What a chunk's samples are together, hour by hour; nothing where the summary says it, and of chunks from before. The
-- table is made anew, because what is behind a long column takes as long to read as that column.
CREATE TABLE metric_chunk_anew (
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
    hours BLOB NOT NULL DEFAULT x'',
    packed BLOB NOT NULL,
    PRIMARY KEY (account_id, agent_id, starts_at)
);
INSERT INTO metric_chunk_anew (account_id, agent_id, starts_at, ends_at, sample_count, first_at, last_at, lowest_sequence,
                               highest_sequence, times, summary, packed)
    SELECT account_id, agent_id, starts_at, ends_at, sample_count, first_at, last_at, lowest_sequence, highest_sequence,
           times, summary, packed
    FROM metric_chunk;
DROP TABLE metric_chunk;
ALTER TABLE metric_chunk_anew RENAME TO metric_chunk;
CREATE INDEX metric_chunk_by_time ON metric_chunk (account_id, ends_at DESC, agent_id);
CREATE INDEX metric_chunk_by_sequence ON metric_chunk (account_id, highest_sequence, lowest_sequence);
