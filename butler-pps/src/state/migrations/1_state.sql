-- Written for PostgreSQL and SQLite alike; UUID_TYPE stands for the type of dataset IDs, SERIAL_KEY
-- for a key that numbers itself. Times are milliseconds since 1970-01-01T00:00:00 UTC.

CREATE TABLE visit (
    instrument TEXT NOT NULL,
    visit BIGINT NOT NULL,
    -- When the visit ended; NULL if its record does not say.
    end_time BIGINT,
    held SMALLINT NOT NULL DEFAULT 0,
    PRIMARY KEY (instrument, visit)
);

-- The dataset types of the datasets in the table below, so that nobody has to search it for them.
CREATE TABLE dataset_type (
    name TEXT NOT NULL PRIMARY KEY,
    held SMALLINT NOT NULL DEFAULT 0
);

CREATE TABLE dataset (
    id UUID_TYPE NOT NULL PRIMARY KEY,
    origin SMALLINT NOT NULL,
    dataset_type TEXT NOT NULL REFERENCES dataset_type (name),
    instrument TEXT,
    visit BIGINT,
    -- When the observation ended, or the dataset became known if there is no saying.
    observed_time BIGINT NOT NULL,
    registered_time BIGINT NOT NULL,
    -- 0 never present, 1 present, 2 missing, 3 deleted, 4 expired
    embargo_status SMALLINT NOT NULL,
    prompt_prep_status SMALLINT NOT NULL DEFAULT 0,
    repo_main_status SMALLINT NOT NULL DEFAULT 0,
    google_int_status SMALLINT NOT NULL DEFAULT 0,
    google_prod_status SMALLINT NOT NULL DEFAULT 0,
    -- When each step was done.
    unembargo_time BIGINT,
    repo_main_time BIGINT,
    embargo_deleted_time BIGINT,
    google_int_time BIGINT,
    google_prod_time BIGINT,
    google_int_expired_time BIGINT,
    google_prod_expired_time BIGINT,
    prompt_prep_deleted_time BIGINT,
    repo_main_deleted_time BIGINT,
    -- Not to go on, because its visit is held back.
    held SMALLINT NOT NULL DEFAULT 0,
    -- To expire as soon as possible, whatever the policy says.
    forced SMALLINT NOT NULL DEFAULT 0,
    -- Why the last attempt at a step failed, how many have, and when the next one may be.
    problem TEXT,
    problem_step TEXT,
    attempts SMALLINT NOT NULL DEFAULT 0,
    retry_time BIGINT NOT NULL DEFAULT 0
);

-- One index for each step, of what waits for it alone: each dataset is in very few of them, so that
-- neither finding what is ready nor writing slows down with the size of the table.
CREATE INDEX dataset_to_prompt_prep ON dataset (dataset_type, observed_time)
    WHERE embargo_status = 1 AND prompt_prep_status = 0;
CREATE INDEX dataset_to_main ON dataset (dataset_type, unembargo_time)
    WHERE prompt_prep_status = 1 AND repo_main_status = 0;
CREATE INDEX dataset_delete_embargo ON dataset (dataset_type, unembargo_time)
    WHERE embargo_status = 1 AND prompt_prep_status = 1 AND repo_main_status = 1;
CREATE INDEX dataset_to_google_int ON dataset (dataset_type, unembargo_time)
    WHERE prompt_prep_status = 1 AND google_int_status = 0;
CREATE INDEX dataset_to_google_prod ON dataset (dataset_type, unembargo_time)
    WHERE prompt_prep_status = 1 AND google_prod_status = 0;
CREATE INDEX dataset_expire_google_int ON dataset (dataset_type, google_int_time)
    WHERE google_int_status = 1;
CREATE INDEX dataset_expire_google_prod ON dataset (dataset_type, google_prod_time)
    WHERE google_prod_status = 1;
CREATE INDEX dataset_delete_expired ON dataset (dataset_type, unembargo_time)
    WHERE prompt_prep_status = 1 AND google_int_status = 4 AND google_prod_status = 4;
CREATE INDEX dataset_delete_internal ON dataset (dataset_type, unembargo_time)
    WHERE prompt_prep_status = 1 AND google_int_status IN (0, 4) AND google_prod_status IN (0, 4);
CREATE INDEX dataset_delete_main ON dataset (dataset_type, prompt_prep_deleted_time)
    WHERE repo_main_status = 1 AND prompt_prep_status = 3;
CREATE INDEX dataset_forced ON dataset (unembargo_time)
    WHERE forced = 1 AND NOT (prompt_prep_status = 3 AND repo_main_status IN (0, 3));
CREATE INDEX dataset_missing ON dataset (registered_time)
    WHERE embargo_status = 2 OR prompt_prep_status = 2 OR repo_main_status = 2
       OR google_int_status = 2 OR google_prod_status = 2;
CREATE INDEX dataset_problem ON dataset (problem_step, retry_time) WHERE problem IS NOT NULL;
CREATE INDEX dataset_visit ON dataset (visit, instrument) WHERE visit IS NOT NULL;

-- Datasets that an input named, but which the embargo repository does not know.
CREATE TABLE unknown_dataset (
    id UUID_TYPE NOT NULL PRIMARY KEY,
    origin SMALLINT NOT NULL,
    error TEXT NOT NULL,
    first_time BIGINT NOT NULL,
    attempts SMALLINT NOT NULL DEFAULT 1,
    retry_time BIGINT NOT NULL
);
CREATE INDEX unknown_dataset_retry ON unknown_dataset (retry_time);

-- Files of inputs that have been read.
CREATE TABLE input_file (
    uri TEXT NOT NULL PRIMARY KEY,
    read_time BIGINT NOT NULL,
    datasets BIGINT NOT NULL,
    error TEXT
);

CREATE TABLE task (
    name TEXT NOT NULL PRIMARY KEY,
    paused SMALLINT NOT NULL DEFAULT 0,
    -- When somebody asked for a run at once.
    requested_time BIGINT,
    started_time BIGINT,
    finished_time BIGINT,
    next_time BIGINT,
    -- What the last run did.
    done BIGINT NOT NULL DEFAULT 0,
    failed BIGINT NOT NULL DEFAULT 0,
    error TEXT,
    error_time BIGINT
);

-- How much each task did in each hour.
CREATE TABLE task_hour (
    name TEXT NOT NULL,
    hour BIGINT NOT NULL,
    done BIGINT NOT NULL,
    failed BIGINT NOT NULL,
    PRIMARY KEY (name, hour)
);

CREATE TABLE audit_log (
    id SERIAL_KEY,
    time BIGINT NOT NULL,
    who TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    outcome TEXT NOT NULL
);
CREATE INDEX audit_log_time ON audit_log (time);
