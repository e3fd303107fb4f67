-- The end of the account's latest chunk. Microseconds.
ALTER TABLE account ADD COLUMN sealed_before BIGINT NOT NULL DEFAULT -9223372036854775808;

-- The samples of an agent in a finished hour, four hours or day, as columns of bits; docs/storage/chunk-format.md.
CREATE TABLE metric_chunk (
    account_id BIGINT NOT NULL,
    agent_id TEXT COLLATE "C" NOT NULL,
    starts_at BIGINT NOT NULL,
    ends_at BIGINT NOT NULL,
    sample_count BIGINT NOT NULL,
    first_at BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    lowest_sequence BIGINT NOT NULL,
    highest_sequence BIGINT NOT NULL,
    times BYTEA NOT NULL,
    summary BYTEA NOT NULL,
    packed BYTEA NOT NULL,
    PRIMARY KEY (account_id, agent_id, starts_at)
) PARTITION BY RANGE (starts_at);

-- Packed already: to look for what could be shorter takes time only.
ALTER TABLE metric_chunk ALTER COLUMN packed SET STORAGE EXTERNAL;

CREATE TABLE metric_chunk_before_2000 PARTITION OF metric_chunk FOR VALUES FROM (MINVALUE) TO (946684800000000);
CREATE TABLE metric_chunk_after_2100 PARTITION OF metric_chunk FOR VALUES FROM (4133980800000000) TO (MAXVALUE);

CREATE INDEX metric_chunk_by_time ON metric_chunk (account_id, ends_at DESC, agent_id);
