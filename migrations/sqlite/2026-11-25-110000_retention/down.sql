DROP TABLE metric_summary;
ALTER TABLE account DROP COLUMN folded_before;
ALTER TABLE account DROP COLUMN daily_days;
ALTER TABLE account DROP COLUMN hourly_days;
ALTER TABLE account DROP COLUMN raw_days;
