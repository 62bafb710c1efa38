CREATE TRIGGER tally_added AFTER INSERT ON dataset BEGIN
    INSERT INTO tally VALUES
        (NEW.dataset_type, NULL, NEW.embargo_status, NEW.prompt_prep_status,
         NEW.repo_main_status, NEW.google_int_status, NEW.google_prod_status, 1),
        (NULL, (NEW.observed_time - 43200000) / 86400000, NEW.embargo_status, NEW.prompt_prep_status,
         NEW.repo_main_status, NEW.google_int_status, NEW.google_prod_status, 1);
END;
CREATE TRIGGER tally_changed AFTER UPDATE OF
    dataset_type, observed_time, embargo_status, prompt_prep_status, repo_main_status, google_int_status,
    google_prod_status
ON dataset BEGIN
    INSERT INTO tally VALUES
        (OLD.dataset_type, NULL, OLD.embargo_status, OLD.prompt_prep_status,
         OLD.repo_main_status, OLD.google_int_status, OLD.google_prod_status, -1),
        (NULL, (OLD.observed_time - 43200000) / 86400000, OLD.embargo_status, OLD.prompt_prep_status,
         OLD.repo_main_status, OLD.google_int_status, OLD.google_prod_status, -1);
    INSERT INTO tally VALUES
        (NEW.dataset_type, NULL, NEW.embargo_status, NEW.prompt_prep_status,
         NEW.repo_main_status, NEW.google_int_status, NEW.google_prod_status, 1),
        (NULL, (NEW.observed_time - 43200000) / 86400000, NEW.embargo_status, NEW.prompt_prep_status,
         NEW.repo_main_status, NEW.google_int_status, NEW.google_prod_status, 1);
END;
CREATE TRIGGER tally_removed AFTER DELETE ON dataset BEGIN
    INSERT INTO tally VALUES
        (OLD.dataset_type, NULL, OLD.embargo_status, OLD.prompt_prep_status,
         OLD.repo_main_status, OLD.google_int_status, OLD.google_prod_status, -1),
        (NULL, (OLD.observed_time - 43200000) / 86400000, OLD.embargo_status, OLD.prompt_prep_status,
         OLD.repo_main_status, OLD.google_int_status, OLD.google_prod_status, -1);
END;
