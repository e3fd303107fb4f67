-- What the account chose to keep, in days; null: as long as its plan does.
ALTER TABLE account ADD COLUMN raw_days BIGINT;
ALTER TABLE account ADD COLUMN hourly_days BIGINT;
ALTER TABLE account ADD COLUMN daily_days BIGINT;
-- Samples before this moment may have gone into summaries, and are not taken again. Microseconds.
ALTER TABLE account ADD COLUMN folded_before BIGINT NOT NULL DEFAULT -9223372036854775808;

-- What samples were, once they are gone: one row for an agent's hour (period 3600), later one for its day (86400).
CREATE TABLE metric_summary (
    account_id BIGINT NOT NULL,
    agent_id TEXT COLLATE "C" NOT NULL,
    period BIGINT NOT NULL,
    bucket BIGINT NOT NULL,
    sample_count BIGINT NOT NULL,
    summary BYTEA NOT NULL,
    PRIMARY KEY (account_id, agent_id, period, bucket)
);
