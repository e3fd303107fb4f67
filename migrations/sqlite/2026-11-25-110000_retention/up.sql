-- What the account chose to keep, in days; null: as long as its plan does.
ALTER TABLE account ADD COLUMN raw_days INTEGER;
ALTER TABLE account ADD COLUMN hourly_days INTEGER;
ALTER TABLE account ADD COLUMN daily_days INTEGER;
-- Samples before this moment may have gone into summaries, and are not taken again. Microseconds.
ALTER TABLE account ADD COLUMN folded_before INTEGER NOT NULL DEFAULT -9223372036854775808;

-- What samples were, once they are gone: one row for an agent's hour (period 3600), later one for its day (86400).
CREATE TABLE metric_summary (
    account_id INTEGER NOT NULL,
    agent_id TEXT NOT NULL,
    period INTEGER NOT NULL,
    bucket INTEGER NOT NULL,
    sample_count INTEGER NOT NULL,
    summary BLOB NOT NULL,
    PRIMARY KEY (account_id, agent_id, period, bucket)
) WITHOUT ROWID;
