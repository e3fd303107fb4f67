CREATE TABLE session (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    hash BLOB NOT NULL UNIQUE,
    account_id INTEGER NOT NULL REFERENCES account (id),
    user_id INTEGER NOT NULL REFERENCES app_user (id),
    created_at INTEGER NOT NULL,
    last_seen_at INTEGER NOT NULL,
    address TEXT,
    user_agent TEXT
);

CREATE INDEX session_by_user ON session (account_id, user_id, created_at DESC, id DESC);
CREATE INDEX session_by_last_seen ON session (last_seen_at);
