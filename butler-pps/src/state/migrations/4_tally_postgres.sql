-- Once for each statement, however many rows it changes.
CREATE FUNCTION tally_datasets() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    changes TEXT := CASE TG_OP
        WHEN 'INSERT' THEN 'SELECT 1 AS sign, * FROM added'
        WHEN 'DELETE' THEN 'SELECT -1 AS sign, * FROM removed'
        ELSE 'SELECT 1 AS sign, * FROM added UNION ALL SELECT -1, * FROM removed' END;
BEGIN
    EXECUTE 'INSERT INTO tally
        SELECT dataset_type, night, embargo_status, prompt_prep_status, repo_main_status,
               google_int_status, google_prod_status, sum(sign)
          FROM (SELECT *, (observed_time - 43200000) / 86400000 AS night FROM (' || changes || ') AS c) AS d
         GROUP BY GROUPING SETS (dataset_type, night), embargo_status, prompt_prep_status, repo_main_status,
               google_int_status, google_prod_status
        HAVING sum(sign) <> 0';
    RETURN NULL;
END $$;
CREATE TRIGGER tally_added AFTER INSERT ON dataset
    REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION tally_datasets();
CREATE TRIGGER tally_changed AFTER UPDATE ON dataset
    REFERENCING OLD TABLE AS removed NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION tally_datasets();
CREATE TRIGGER tally_removed AFTER DELETE ON dataset
    REFERENCING OLD TABLE AS removed
    FOR EACH STATEMENT EXECUTE FUNCTION tally_datasets();
-- Ordinary triggers may be switched off during large inserts, to check references in another way.
ALTER TABLE dataset ENABLE ALWAYS TRIGGER tally_added;
