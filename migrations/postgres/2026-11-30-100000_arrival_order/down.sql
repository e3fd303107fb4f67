DROP INDEX metric_chunk_by_sequence;
DROP INDEX metric_sample_by_sequence;
