-- What tasks have done in all, for those who watch the service, and which files of inputs could not be
-- used.

ALTER TABLE task ADD COLUMN runs BIGINT NOT NULL DEFAULT 0;
ALTER TABLE task ADD COLUMN failed_runs BIGINT NOT NULL DEFAULT 0;
ALTER TABLE task ADD COLUMN total_done BIGINT NOT NULL DEFAULT 0;
ALTER TABLE task ADD COLUMN total_failed BIGINT NOT NULL DEFAULT 0;
-- When the last run ended that went well.
ALTER TABLE task ADD COLUMN success_time BIGINT;

CREATE INDEX input_file_error ON input_file (read_time) WHERE error IS NOT NULL;
