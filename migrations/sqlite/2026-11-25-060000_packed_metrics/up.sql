-- The measured fields of a sample as one value: 8 bytes each, a signed integer of the field's last decimal, most
-- significant byte first, -2^63 for null. In the order of the columns of the table before.
CREATE TABLE metric_sample (
    account_id INTEGER NOT NULL,
    agent_id TEXT NOT NULL,
    timestamp INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    measured BLOB NOT NULL,
    PRIMARY KEY (account_id, agent_id, timestamp)
) WITHOUT ROWID;

INSERT INTO metric_sample (account_id, agent_id, timestamp, received_at, sequence, measured)
SELECT account_id, agent_id, timestamp, received_at, sequence,
    unhex(
        printf(
            '%016x%016x%016x%016x%016x%016x%016x%016x%016x%016x%016x%016x%016x%016x%016x%016x%016x%016x%016x%016x%016x%016x%016x%016x%016x%016x',
            coalesce(interval_seconds, -9223372036854775808),
            coalesce(CAST(round(cpu_percent * 100) AS INTEGER), -9223372036854775808),
            coalesce(CAST(round(load_1 * 100) AS INTEGER), -9223372036854775808),
            coalesce(CAST(round(load_5 * 100) AS INTEGER), -9223372036854775808),
            coalesce(CAST(round(load_15 * 100) AS INTEGER), -9223372036854775808),
            coalesce(memory_total_bytes, -9223372036854775808),
            coalesce(memory_used_bytes, -9223372036854775808),
            coalesce(CAST(round(memory_percent * 100) AS INTEGER), -9223372036854775808),
            coalesce(swap_total_bytes, -9223372036854775808),
            coalesce(swap_used_bytes, -9223372036854775808),
            coalesce(disk_total_bytes, -9223372036854775808),
            coalesce(disk_used_bytes, -9223372036854775808),
            coalesce(CAST(round(disk_percent * 100) AS INTEGER), -9223372036854775808),
            coalesce(disk_read_bytes_per_second, -9223372036854775808),
            coalesce(disk_write_bytes_per_second, -9223372036854775808),
            coalesce(network_receive_bytes_per_second, -9223372036854775808),
            coalesce(network_transmit_bytes_per_second, -9223372036854775808),
            coalesce(network_receive_bytes_total, -9223372036854775808),
            coalesce(network_transmit_bytes_total, -9223372036854775808),
            coalesce(network_errors_count, -9223372036854775808),
            coalesce(CAST(round(latency_ms * 1000) AS INTEGER), -9223372036854775808),
            coalesce(CAST(round(jitter_ms * 1000) AS INTEGER), -9223372036854775808),
            coalesce(CAST(round(packet_loss_percent * 100) AS INTEGER), -9223372036854775808),
            coalesce(CAST(round(temperature_celsius * 10) AS INTEGER), -9223372036854775808),
            coalesce(process_count, -9223372036854775808),
            coalesce(uptime_seconds, -9223372036854775808)
        )
    )
FROM metric
ORDER BY account_id, agent_id, timestamp;

CREATE INDEX metric_sample_by_time ON metric_sample (account_id, timestamp DESC, agent_id);
DROP TABLE metric;
