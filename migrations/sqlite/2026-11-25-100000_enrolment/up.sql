CREATE TABLE enrolment_token (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id INTEGER NOT NULL REFERENCES account (id),
    hash BLOB NOT NULL UNIQUE,
    hint TEXT NOT NULL,
    name TEXT NOT NULL,
    -- Null: for new agents.
    agent_id TEXT,
    labels TEXT NOT NULL,
    max_uses INTEGER NOT NULL,
    use_count INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    last_used_at INTEGER,
    revoked_at INTEGER
);

CREATE TABLE agent_token (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id INTEGER NOT NULL REFERENCES account (id),
    agent_id TEXT NOT NULL,
    hash BLOB NOT NULL UNIQUE,
    hint TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    last_used_at INTEGER
);

-- What an agent last said of itself, apart from the facts of its host.
CREATE TABLE agent_health (
    account_id INTEGER NOT NULL,
    agent_id TEXT NOT NULL,
    heartbeat_at INTEGER NOT NULL,
    spool_row_count INTEGER,
    spool_oldest_at INTEGER,
    dropped_row_count INTEGER,
    cost_cpu_percent REAL,
    cost_memory_bytes INTEGER,
    clock_offset_ms INTEGER,
    PRIMARY KEY (account_id, agent_id),
    FOREIGN KEY (account_id, agent_id) REFERENCES agent (account_id, id)
) WITHOUT ROWID;

-- Agents that are gone and whose data is going.
CREATE TABLE agent_removal (
    account_id INTEGER NOT NULL REFERENCES account (id),
    agent_id TEXT NOT NULL,
    requested_at INTEGER NOT NULL,
    PRIMARY KEY (account_id, agent_id)
) WITHOUT ROWID;

CREATE INDEX enrolment_token_by_account ON enrolment_token (account_id, created_at DESC, id DESC);
CREATE UNIQUE INDEX agent_token_by_agent ON agent_token (account_id, agent_id);
CREATE INDEX alert_state_by_agent ON alert_state (account_id, agent_id);
