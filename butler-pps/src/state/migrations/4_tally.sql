-- How many datasets there are of each type, and of each night, with each combination of statuses: kept by the
-- database itself with every change, so that nobody has to count datasets.
--
-- Changes are appended, not added to rows that are there: no two of them wait for each other. Rows that belong
-- together are summed by whoever reads, and folded into one now and then.

CREATE TABLE tally (
    -- Either the type or the night is NULL.
    dataset_type TEXT,
    -- Days from 1970-01-01 to the night of the observation. Nights go from noon to noon UTC.
    night BIGINT,
    embargo_status SMALLINT NOT NULL,
    prompt_prep_status SMALLINT NOT NULL,
    repo_main_status SMALLINT NOT NULL,
    google_int_status SMALLINT NOT NULL,
    google_prod_status SMALLINT NOT NULL,
    datasets BIGINT NOT NULL
);

INSERT INTO tally
    SELECT dataset_type, NULL, embargo_status, prompt_prep_status, repo_main_status, google_int_status,
           google_prod_status, count(*)
      FROM dataset GROUP BY 1, 3, 4, 5, 6, 7;
INSERT INTO tally
    SELECT NULL, (observed_time - 43200000) / 86400000, embargo_status, prompt_prep_status, repo_main_status,
           google_int_status, google_prod_status, count(*)
      FROM dataset GROUP BY 2, 3, 4, 5, 6, 7;

TALLY_TRIGGERS

-- What the page looks for besides: visits by their number, and those that are held back.
CREATE INDEX visit_number ON visit (visit);
CREATE INDEX visit_held ON visit (instrument, visit) WHERE held = 1;
