-- The measured fields of a sample as one value: 8 bytes each, a signed integer of the field's last decimal, most
-- significant byte first, -2^63 for null. In the order of the columns of the table before.
CREATE TABLE metric_sample (
    account_id BIGINT NOT NULL,
    agent_id TEXT COLLATE "C" NOT NULL,
    timestamp BIGINT NOT NULL,
    received_at BIGINT NOT NULL,
    sequence BIGINT NOT NULL,
    measured BYTEA NOT NULL,
    PRIMARY KEY (account_id, agent_id, timestamp)
) PARTITION BY RANGE (timestamp);

DO $$
DECLARE
    part RECORD;
BEGIN
    FOR part IN
        SELECT c.relname AS name, pg_get_expr(c.relpartbound, c.oid) AS bound
        FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'metric'::regclass
    LOOP
        EXECUTE format(
            'CREATE TABLE %I PARTITION OF metric_sample %s',
            regexp_replace(part.name, '^metric', 'metric_sample'), part.bound
        );
    END LOOP;
END $$;

CREATE FUNCTION pg_temp.packed(value BIGINT) RETURNS BYTEA LANGUAGE SQL IMMUTABLE
AS 'SELECT int8send(COALESCE(value, -9223372036854775808))';
CREATE FUNCTION pg_temp.packed(value DOUBLE PRECISION, scale INTEGER) RETURNS BYTEA LANGUAGE SQL IMMUTABLE
AS 'SELECT int8send(COALESCE(round(value * scale)::BIGINT, -9223372036854775808))';

INSERT INTO metric_sample (account_id, agent_id, timestamp, received_at, sequence, measured)
SELECT account_id, agent_id, timestamp, received_at, sequence,
    pg_temp.packed(interval_seconds) ||
    pg_temp.packed(cpu_percent, 100) ||
    pg_temp.packed(load_1, 100) ||
    pg_temp.packed(load_5, 100) ||
    pg_temp.packed(load_15, 100) ||
    pg_temp.packed(memory_total_bytes) ||
    pg_temp.packed(memory_used_bytes) ||
    pg_temp.packed(memory_percent, 100) ||
    pg_temp.packed(swap_total_bytes) ||
    pg_temp.packed(swap_used_bytes) ||
    pg_temp.packed(disk_total_bytes) ||
    pg_temp.packed(disk_used_bytes) ||
    pg_temp.packed(disk_percent, 100) ||
    pg_temp.packed(disk_read_bytes_per_second) ||
    pg_temp.packed(disk_write_bytes_per_second) ||
    pg_temp.packed(network_receive_bytes_per_second) ||
    pg_temp.packed(network_transmit_bytes_per_second) ||
    pg_temp.packed(network_receive_bytes_total) ||
    pg_temp.packed(network_transmit_bytes_total) ||
    pg_temp.packed(network_errors_count) ||
    pg_temp.packed(latency_ms, 1000) ||
    pg_temp.packed(jitter_ms, 1000) ||
    pg_temp.packed(packet_loss_percent, 100) ||
    pg_temp.packed(temperature_celsius, 10) ||
    pg_temp.packed(process_count) ||
    pg_temp.packed(uptime_seconds)
FROM metric
ORDER BY account_id, agent_id, timestamp;

DROP FUNCTION pg_temp.packed(BIGINT);
DROP FUNCTION pg_temp.packed(DOUBLE PRECISION, INTEGER);
CREATE INDEX metric_sample_by_time ON metric_sample (account_id, timestamp DESC, agent_id);
DROP TABLE metric;
