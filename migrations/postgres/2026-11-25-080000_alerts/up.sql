CREATE TABLE alert_rule (
    account_id BIGINT NOT NULL REFERENCES account (id),
    id BYTEA NOT NULL,
    name TEXT NOT NULL,
    enabled BOOLEAN NOT NULL,
    severity TEXT NOT NULL,
    -- Null: all agents.
    agent_id TEXT COLLATE "C",
    condition TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    start_sequence BIGINT NOT NULL,
    PRIMARY KEY (account_id, id)
);

CREATE TABLE alert_channel (
    account_id BIGINT NOT NULL REFERENCES account (id),
    id BYTEA NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    target TEXT NOT NULL,
    -- Signs what a webhook is sent, so it is kept as it is.
    secret TEXT,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (account_id, id)
);

CREATE TABLE alert_rule_channel (
    account_id BIGINT NOT NULL,
    rule_id BYTEA NOT NULL,
    channel_id BYTEA NOT NULL,
    PRIMARY KEY (account_id, rule_id, channel_id),
    FOREIGN KEY (account_id, rule_id) REFERENCES alert_rule (account_id, id),
    FOREIGN KEY (account_id, channel_id) REFERENCES alert_channel (account_id, id)
);

CREATE TABLE alert_event (
    account_id BIGINT NOT NULL REFERENCES account (id),
    id BYTEA NOT NULL,
    rule_id BYTEA NOT NULL,
    rule_name TEXT NOT NULL,
    severity TEXT NOT NULL,
    kind TEXT NOT NULL,
    agent_id TEXT COLLATE "C" NOT NULL,
    agent_name TEXT NOT NULL,
    fired_at BIGINT NOT NULL,
    resolved_at BIGINT,
    value DOUBLE PRECISION,
    threshold DOUBLE PRECISION,
    sentence TEXT NOT NULL,
    resolution TEXT,
    PRIMARY KEY (account_id, id)
);

CREATE TABLE alert_state (
    account_id BIGINT NOT NULL,
    rule_id BYTEA NOT NULL,
    agent_id TEXT COLLATE "C" NOT NULL,
    state TEXT NOT NULL,
    since BIGINT,
    event_id BYTEA,
    value DOUBLE PRECISION,
    value_at BIGINT,
    PRIMARY KEY (account_id, rule_id, agent_id),
    FOREIGN KEY (account_id, rule_id) REFERENCES alert_rule (account_id, id)
);

CREATE TABLE alert_delivery (
    account_id BIGINT NOT NULL,
    id BYTEA NOT NULL,
    event_id BYTEA NOT NULL,
    channel_id BYTEA NOT NULL,
    phase TEXT NOT NULL,
    state TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    next_attempt_at BIGINT NOT NULL,
    settled_at BIGINT,
    last_error TEXT,
    PRIMARY KEY (account_id, id),
    FOREIGN KEY (account_id, event_id) REFERENCES alert_event (account_id, id)
);

-- Up to which ingestion sequence an account's records have been looked at.
CREATE TABLE alert_progress (
    account_id BIGINT NOT NULL REFERENCES account (id),
    records_up_to BIGINT NOT NULL,
    PRIMARY KEY (account_id)
);

CREATE TABLE lease (
    name TEXT NOT NULL,
    holder TEXT NOT NULL,
    token BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (name)
);

CREATE INDEX alert_rule_channel_by_channel ON alert_rule_channel (account_id, channel_id, rule_id);
CREATE INDEX alert_event_by_time ON alert_event (account_id, fired_at DESC, id DESC);
CREATE INDEX alert_event_by_rule ON alert_event (account_id, rule_id, fired_at DESC, id DESC);
CREATE INDEX alert_delivery_by_event ON alert_delivery (account_id, event_id, id);
CREATE INDEX alert_delivery_by_channel ON alert_delivery (account_id, channel_id, state);
CREATE INDEX alert_delivery_by_due ON alert_delivery (state, next_attempt_at, account_id, id);
CREATE INDEX speedtest_by_sequence ON speedtest (account_id, sequence);
CREATE INDEX traceroute_by_sequence ON traceroute (account_id, sequence);
