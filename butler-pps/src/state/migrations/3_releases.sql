-- Datasets that have become public, and how users are told of it.

-- Datasets are told of in announcements, each of which belongs to the list of one hour.
CREATE TABLE announcement (
    id SERIAL_KEY,
    hour BIGINT NOT NULL,
    announced_time BIGINT NOT NULL,
    datasets BIGINT NOT NULL,
    -- Whether the list of its hour has it.
    listed SMALLINT NOT NULL DEFAULT 0
);
CREATE INDEX announcement_hour ON announcement (hour);
CREATE INDEX announcement_unlisted ON announcement (hour) WHERE listed = 0;

CREATE TABLE released (
    id UUID_TYPE NOT NULL PRIMARY KEY REFERENCES dataset (id),
    released_time BIGINT NOT NULL,
    announcement BIGINT REFERENCES announcement (id)
);
CREATE INDEX released_new ON released (released_time) WHERE announcement IS NULL;
CREATE INDEX released_announcement ON released (announcement) WHERE announcement IS NOT NULL;

-- Announcements that receivers are to be told of.
CREATE TABLE webhook_delivery (
    id UUID_TYPE NOT NULL PRIMARY KEY,
    webhook TEXT NOT NULL,
    announcement BIGINT NOT NULL REFERENCES announcement (id),
    -- 0 to be delivered, 1 delivered, 2 given up
    status SMALLINT NOT NULL DEFAULT 0,
    attempts SMALLINT NOT NULL DEFAULT 0,
    -- When the next attempt may be, or when the last one was.
    attempt_time BIGINT NOT NULL,
    error TEXT,
    UNIQUE (webhook, announcement)
);
CREATE INDEX webhook_delivery_due ON webhook_delivery (webhook, attempt_time) WHERE status = 0;
CREATE INDEX webhook_delivery_dead ON webhook_delivery (webhook) WHERE status = 2;
