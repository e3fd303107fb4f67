ALTER TABLE metric_chunk DROP COLUMN hours;
