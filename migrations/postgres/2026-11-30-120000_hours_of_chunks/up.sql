-- What a chunk's samples are together, hour by hour; nothing where the summary says it, and of chunks from before.
ALTER TABLE metric_chunk ADD COLUMN hours BYTEA NOT NULL DEFAULT '';
ALTER TABLE metric_chunk ALTER COLUMN hours SET STORAGE EXTERNAL;
