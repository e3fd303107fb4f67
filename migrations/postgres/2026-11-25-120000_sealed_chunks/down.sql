DROP TABLE metric_chunk;
ALTER TABLE account DROP COLUMN sealed_before;
