CREATE TABLE account (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    plan TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    data_version INTEGER NOT NULL DEFAULT 0,
    last_sequence INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE app_user (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id INTEGER NOT NULL REFERENCES account (id),
    email TEXT NOT NULL UNIQUE,
    role TEXT NOT NULL,
    password_hash TEXT,
    created_at INTEGER NOT NULL,
    disabled_at INTEGER
);

CREATE TABLE api_key (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id INTEGER NOT NULL REFERENCES account (id),
    window_id INTEGER NOT NULL,
    hash BLOB NOT NULL UNIQUE,
    hint TEXT NOT NULL,
    name TEXT NOT NULL,
    permissions TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    last_used_at INTEGER,
    revoked_at INTEGER
);

CREATE TABLE quota_window (
    account_id INTEGER NOT NULL,
    window_id INTEGER NOT NULL,
    opened_at INTEGER NOT NULL,
    used INTEGER NOT NULL,
    PRIMARY KEY (account_id, window_id)
) WITHOUT ROWID;

CREATE TABLE key_usage (
    account_id INTEGER NOT NULL,
    key_id INTEGER NOT NULL,
    hour INTEGER NOT NULL,
    served INTEGER NOT NULL,
    refused INTEGER NOT NULL,
    PRIMARY KEY (account_id, key_id, hour)
) WITHOUT ROWID;

CREATE TABLE agent (
    account_id INTEGER NOT NULL REFERENCES account (id),
    id TEXT NOT NULL,
    hostname TEXT NOT NULL,
    name TEXT,
    last_seen_at INTEGER,
    created_at INTEGER NOT NULL,
    disabled_at INTEGER,
    agent_version TEXT,
    os TEXT,
    os_version TEXT,
    kernel_version TEXT,
    arch TEXT,
    cpu_model TEXT,
    cpu_core_count INTEGER,
    memory_total_bytes INTEGER,
    boot_time INTEGER,
    ip_addresses TEXT NOT NULL,
    public_ip TEXT,
    labels TEXT NOT NULL,
    interval_seconds INTEGER,
    PRIMARY KEY (account_id, id)
);

CREATE TABLE metric (
    account_id INTEGER NOT NULL,
    agent_id TEXT NOT NULL,
    timestamp INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    interval_seconds INTEGER,
    cpu_percent REAL,
    load_1 REAL,
    load_5 REAL,
    load_15 REAL,
    memory_total_bytes INTEGER,
    memory_used_bytes INTEGER,
    memory_percent REAL,
    swap_total_bytes INTEGER,
    swap_used_bytes INTEGER,
    disk_total_bytes INTEGER,
    disk_used_bytes INTEGER,
    disk_percent REAL,
    disk_read_bytes_per_second INTEGER,
    disk_write_bytes_per_second INTEGER,
    network_receive_bytes_per_second INTEGER,
    network_transmit_bytes_per_second INTEGER,
    network_receive_bytes_total INTEGER,
    network_transmit_bytes_total INTEGER,
    network_errors_count INTEGER,
    latency_ms REAL,
    jitter_ms REAL,
    packet_loss_percent REAL,
    temperature_celsius REAL,
    process_count INTEGER,
    uptime_seconds INTEGER,
    PRIMARY KEY (account_id, agent_id, timestamp)
) WITHOUT ROWID;

CREATE TABLE speedtest (
    account_id INTEGER NOT NULL,
    id BLOB NOT NULL,
    agent_id TEXT NOT NULL,
    timestamp INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    status TEXT NOT NULL,
    error TEXT,
    provider TEXT,
    download_mbps REAL,
    upload_mbps REAL,
    download_bytes INTEGER,
    upload_bytes INTEGER,
    ping_ms REAL,
    jitter_ms REAL,
    packet_loss_percent REAL,
    loaded_latency_ms REAL,
    server_name TEXT,
    server_host TEXT,
    server_location TEXT,
    isp TEXT,
    external_ip TEXT,
    interface_name TEXT,
    duration_ms INTEGER,
    result_url TEXT,
    PRIMARY KEY (account_id, id, agent_id)
);

CREATE TABLE traceroute (
    account_id INTEGER NOT NULL,
    id BLOB NOT NULL,
    agent_id TEXT NOT NULL,
    timestamp INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    target TEXT NOT NULL,
    target_ip TEXT,
    ip_version INTEGER,
    protocol TEXT NOT NULL,
    status TEXT NOT NULL,
    error TEXT,
    reached BOOLEAN NOT NULL,
    rtt_ms REAL,
    packet_loss_percent REAL,
    path_hash TEXT NOT NULL,
    path_changed BOOLEAN,
    duration_ms INTEGER,
    hops TEXT NOT NULL,
    PRIMARY KEY (account_id, id, agent_id)
);

CREATE TABLE record_count (
    account_id INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    agent_id TEXT NOT NULL,
    period INTEGER NOT NULL,
    bucket INTEGER NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (account_id, kind, agent_id, period, bucket)
) WITHOUT ROWID;

CREATE TABLE audit (
    account_id INTEGER NOT NULL,
    at INTEGER NOT NULL,
    id INTEGER NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    object TEXT NOT NULL,
    PRIMARY KEY (account_id, at, id)
) WITHOUT ROWID;

CREATE TABLE setting (
    name TEXT NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (name)
) WITHOUT ROWID;

CREATE INDEX app_user_by_account ON app_user (account_id, email);
CREATE INDEX api_key_by_account ON api_key (account_id, created_at DESC, id DESC);
CREATE INDEX agent_by_hostname ON agent (account_id, hostname, id);
CREATE INDEX metric_by_time ON metric (account_id, timestamp DESC, agent_id);
CREATE INDEX speedtest_by_time ON speedtest (account_id, timestamp DESC, agent_id, id);
CREATE INDEX speedtest_by_agent ON speedtest (account_id, agent_id, timestamp DESC, id);
CREATE INDEX traceroute_by_time ON traceroute (account_id, timestamp DESC, agent_id, id);
CREATE INDEX traceroute_by_agent ON traceroute (account_id, agent_id, timestamp DESC, id);
CREATE INDEX traceroute_by_path ON traceroute (account_id, agent_id, target, protocol, timestamp DESC, id);
