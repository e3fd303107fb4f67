-- What came in behind a place in the order of arrival.
CREATE INDEX metric_sample_by_sequence ON metric_sample (account_id, sequence);
CREATE INDEX metric_chunk_by_sequence ON metric_chunk (account_id, highest_sequence, lowest_sequence);
