CREATE TABLE alert_rule (
    account_id INTEGER NOT NULL REFERENCES account (id),
    id BLOB NOT NULL,
    name TEXT NOT NULL,
    enabled BOOLEAN NOT NULL,
    severity TEXT NOT NULL,
    -- Null: all agents.
    agent_id TEXT,
    condition TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    start_sequence INTEGER NOT NULL,
    PRIMARY KEY (account_id, id)
) WITHOUT ROWID;

CREATE TABLE alert_channel (
    account_id INTEGER NOT NULL REFERENCES account (id),
    id BLOB NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    target TEXT NOT NULL,
    -- Signs what a webhook is sent, so it is kept as it is.
    secret TEXT,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (account_id, id)
) WITHOUT ROWID;

CREATE TABLE alert_rule_channel (
    account_id INTEGER NOT NULL,
    rule_id BLOB NOT NULL,
    channel_id BLOB NOT NULL,
    PRIMARY KEY (account_id, rule_id, channel_id),
    FOREIGN KEY (account_id, rule_id) REFERENCES alert_rule (account_id, id),
    FOREIGN KEY (account_id, channel_id) REFERENCES alert_channel (account_id, id)
) WITHOUT ROWID;

CREATE TABLE alert_event (
    account_id INTEGER NOT NULL REFERENCES account (id),
    id BLOB NOT NULL,
    rule_id BLOB NOT NULL,
    rule_name TEXT NOT NULL,
    severity TEXT NOT NULL,
    kind TEXT NOT NULL,
    agent_id TEXT NOT NULL,
    agent_name TEXT NOT NULL,
    fired_at INTEGER NOT NULL,
    resolved_at INTEGER,
    value REAL,
    threshold REAL,
    sentence TEXT NOT NULL,
    resolution TEXT,
    PRIMARY KEY (account_id, id)
) WITHOUT ROWID;

CREATE TABLE alert_state (
    account_id INTEGER NOT NULL,
    rule_id BLOB NOT NULL,
    agent_id TEXT NOT NULL,
    state TEXT NOT NULL,
    since INTEGER,
    event_id BLOB,
    value REAL,
    value_at INTEGER,
    PRIMARY KEY (account_id, rule_id, agent_id),
    FOREIGN KEY (account_id, rule_id) REFERENCES alert_rule (account_id, id)
) WITHOUT ROWID;

CREATE TABLE alert_delivery (
    account_id INTEGER NOT NULL,
    id BLOB NOT NULL,
    event_id BLOB NOT NULL,
    channel_id BLOB NOT NULL,
    phase TEXT NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    next_attempt_at INTEGER NOT NULL,
    settled_at INTEGER,
    last_error TEXT,
    PRIMARY KEY (account_id, id),
    FOREIGN KEY (account_id, event_id) REFERENCES alert_event (account_id, id)
) WITHOUT ROWID;

-- Up to which ingestion sequence an account's records have been looked at.
CREATE TABLE alert_progress (
    account_id INTEGER NOT NULL REFERENCES account (id),
    records_up_to INTEGER NOT NULL,
    PRIMARY KEY (account_id)
) WITHOUT ROWID;

CREATE TABLE lease (
    name TEXT NOT NULL,
    holder TEXT NOT NULL,
    token INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (name)
) WITHOUT ROWID;

CREATE INDEX alert_rule_channel_by_channel ON alert_rule_channel (account_id, channel_id, rule_id);
CREATE INDEX alert_event_by_time ON alert_event (account_id, fired_at DESC, id DESC);
CREATE INDEX alert_event_by_rule ON alert_event (account_id, rule_id, fired_at DESC, id DESC);
CREATE INDEX alert_delivery_by_event ON alert_delivery (account_id, event_id, id);
CREATE INDEX alert_delivery_by_channel ON alert_delivery (account_id, channel_id, state);
CREATE INDEX alert_delivery_by_due ON alert_delivery (state, next_attempt_at, account_id, id);
CREATE INDEX speedtest_by_sequence ON speedtest (account_id, sequence);
CREATE INDEX traceroute_by_sequence ON traceroute (account_id, sequence);
