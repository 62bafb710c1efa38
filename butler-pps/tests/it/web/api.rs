//! What the API says, and what commands do.

use butler_pps::state::{RepositoryName, Status};
use serde_json::{Value, json};

use super::filled::{Filled, NIGHTS};
use crate::observatory::Databases;

#[tokio::test]
async fn datasets_are_counted_by_stage_type_and_age() {
    for databases in Databases::BOTH {
        let filled = Filled::new(databases).await;
        let site = filled.open().await;
        let counts = site.ask("counts").await;
        let sum = |stages: &Value| -> i64 {
            stages
                .as_object()
                .unwrap()
                .values()
                .map(|n| n.as_i64().unwrap())
                .sum()
        };
        assert_eq!(sum(&counts["total"]), filled.count);
        assert_eq!(counts["total"]["missing"], 1);
        assert_eq!(
            counts["troubles"],
            json!({"missing": 1, "stuck": 1, "unknown": 1})
        );
        let types = counts["dataset_types"].as_array().unwrap();
        let of = |name: &str| types.iter().find(|one| one["name"] == name).unwrap();
        assert_eq!(of("mystery")["rule"], Value::Null);
        assert_eq!(of("mystery")["stages"]["embargoed"], 12 * NIGHTS.len());
        assert_eq!(of("difference_image")["rule"]["embargo"], 80 * 3_600_000);
        for stage in ["embargoed", "published", "expired", "deleted"] {
            assert_ne!(of("difference_image")["stages"][stage], 0, "{stage}");
        }
        let embargo = &counts["repositories"][0];
        assert_eq!(embargo["name"], "embargo");
        assert_eq!(sum(&embargo["statuses"]), filled.count);

        let ages = site.ask("ages").await;
        let nights = ages["nights"].as_array().unwrap();
        let recent: i64 = nights.iter().map(|night| sum(&night["stages"])).sum();
        let last = nights.last().unwrap();
        assert_eq!((nights.len(), sum(&last["stages"])), (45, 84));
        assert_eq!(last["stages"]["staged"], 1);
        // Those of fifty and of seventy nights ago: some are kept, the others are gone.
        assert_eq!(recent + sum(&ages["older"]), filled.count);
        assert_eq!(
            (&ages["older"]["published"], &ages["older"]["deleted"]),
            (&json!(72), &json!(72))
        );
    }
}

#[tokio::test]
async fn tasks_tell_of_their_runs_and_of_what_is_ready() {
    for databases in Databases::BOTH {
        let filled = Filled::new(databases).await;
        let site = filled.open().await;
        let tasks = site.ask("tasks").await;
        let tasks = tasks["tasks"].as_array().unwrap();
        let of = |name: &str| tasks.iter().find(|task| task["name"] == name).unwrap();
        let int = of("to_google_int");
        assert!(int["error"].as_str().unwrap().contains("does not answer"));
        assert!(int["error_time"].as_i64() > int["succeeded"].as_i64());
        assert_eq!((&int["runs"], &int["failed_runs"]), (&json!(48), &json!(1)));
        let main = of("to_main");
        assert_eq!(
            (&main["source"], &main["target"]),
            (&json!("prompt_prep"), &json!("repo_main"))
        );
        assert_eq!(main["error"], Value::Null);
        assert!(main["next"].as_i64() > main["finished"].as_i64());
        // What has expired waits to be deleted; the longest since it came to prompt_prep.
        let delete = of("delete_prompt_prep");
        assert_eq!(delete["ready"], 36);
        assert!(delete["ready_age"].as_i64().unwrap() > 30 * 24 * 3_600_000_i64);
        assert_eq!(of("to_prompt_prep")["ready"], 0);

        let throughput = site.ask("throughput?hours=24").await;
        assert_eq!(throughput["tasks"][5]["name"], "to_google_prod");
        let hours = throughput["tasks"][5]["hours"].as_array().unwrap();
        assert!((23..=24).contains(&hours.len()), "{}", hours.len());
        assert!(hours.iter().any(|hour| hour["failed"] == 2000));
    }
}

#[tokio::test]
async fn what_is_missing_or_stuck_is_shown_with_the_reason_until_it_is_tried_again() {
    for databases in Databases::BOTH {
        let filled = Filled::new(databases).await;
        let site = filled.open().await;
        let problems = site.ask("problems").await;
        let missing = &problems["missing"][0];
        assert_eq!(missing["id"], json!(filled.missing));
        assert_eq!(missing["statuses"]["prompt_prep"], "MISSING");
        assert!(
            missing["problem"]
                .as_str()
                .unwrap()
                .contains("is not there")
        );
        assert_eq!(problems["stuck"].as_array().unwrap().len(), 1);
        assert_eq!(problems["stuck"][0]["problem_step"], "to_google_prod");
        assert_eq!(problems["unknown"][0]["id"], json!(filled.unknown));

        let one = json!({"action": "retry", "ids": [filled.missing]});
        let confirm = format!("retry {}", filled.missing);
        assert_eq!(site.order(one, &confirm).await, "1 dataset");
        let dataset = &filled.state.datasets(&[filled.missing]).await.unwrap()[0];
        assert_eq!(dataset.status(RepositoryName::PromptPrep), Status::Present);
        assert_eq!(
            site.order(json!({"action": "retry"}), "retry all").await,
            "1 dataset"
        );
        let problems = site.ask("problems").await;
        assert_eq!(
            (&problems["missing"], &problems["stuck"]),
            (&json!([]), &json!([]))
        );
    }
}

#[tokio::test]
async fn a_dataset_is_found_with_its_whole_history() {
    for databases in Databases::BOTH {
        let filled = Filled::new(databases).await;
        let site = filled.open().await;
        let found = site.ask(&format!("search?q={}", filled.published)).await;
        let history = &found["dataset"];
        assert_eq!(history["dataset"]["stage"], "published");
        let steps = |events: &Value| -> Vec<String> {
            let events = events.as_array().unwrap().iter();
            events
                .map(|event| event["step"].as_str().unwrap().to_owned())
                .collect()
        };
        let expected = [
            "observed",
            "register",
            "to_prompt_prep",
            "to_main",
            "delete_embargo",
            "to_google_int",
            "to_google_prod",
        ];
        assert_eq!(steps(&history["events"]), expected);
        // It will expire thirty days after it was published, to the millisecond.
        assert_eq!(
            steps(&history["next"]),
            ["expire_google_int", "expire_google_prod"]
        );
        let published = history["events"][6]["time"].as_i64().unwrap();
        assert_eq!(history["next"][1]["time"], published + 30 * 24 * 3_600_000);

        let again = site.ask(&format!("datasets/{}", filled.published)).await;
        assert_eq!(&again, history);
        let unknown = site.ask(&format!("search?q={}", filled.unknown)).await;
        assert_eq!(unknown["dataset"], Value::Null);
        assert_eq!(unknown["unknown"]["origin"], "catchup");
    }
}

#[tokio::test]
async fn a_visit_is_found_by_its_number_and_can_be_held_back() {
    for databases in Databases::BOTH {
        let filled = Filled::new(databases).await;
        let site = filled.open().await;
        let (visit, path) = (filled.visit, format!("search?q={}", filled.visit));
        let found = site.ask(&path).await;
        assert_eq!(found["visits"][0]["visit"]["instrument"], "LSSTCam");
        assert_eq!(found["visits"][0]["datasets"].as_array().unwrap().len(), 28);
        assert_eq!(
            site.ask(&format!("search?q=HSC+{visit}")).await["visits"],
            json!([])
        );

        let hold = json!({"action": "hold_visit", "instrument": "LSSTCam", "visit": visit});
        let confirm = format!("hold visit LSSTCam {visit}");
        assert_eq!(site.order(hold, &confirm).await, "28 datasets");
        let hold = json!({"action": "hold_type", "dataset_type": "isr_log"});
        site.order(hold, "hold type isr_log").await;
        let holds = site.ask("holds").await;
        assert_eq!(holds["visits"][0]["visit"], visit);
        assert_eq!(holds["dataset_types"], json!(["isr_log"]));
        let history = site.ask(&format!("datasets/{}", filled.published)).await;
        assert_eq!(history["dataset"]["held"], true);
        assert_eq!(history["commands"][0]["action"], "hold visit");

        let release = json!({"action": "release_visit", "instrument": "LSSTCam", "visit": visit});
        site.order(release, &format!("release visit LSSTCam {visit}"))
            .await;
        let release = json!({"action": "release_type", "dataset_type": "isr_log"});
        site.order(release, "release type isr_log").await;
        assert_eq!(
            site.ask("holds").await,
            json!({"visits": [], "dataset_types": []})
        );
    }
}

#[tokio::test]
async fn tasks_are_paused_resumed_and_run_by_command_and_the_log_says_so() {
    for databases in Databases::BOTH {
        let filled = Filled::new(databases).await;
        let site = filled.open().await;
        let task = async || filled.state.task("to_main").await.unwrap();
        for (action, paused) in [("pause", true), ("run", true), ("resume", false)] {
            let command = json!({"action": action, "task": "to_main"});
            assert_eq!(
                site.order(command, &format!("{action} to_main")).await,
                "done"
            );
            assert_eq!(task().await.paused, paused);
        }
        assert!(task().await.requested.is_some());
        let log = site.ask("audit?about=to_main").await;
        let actions: Vec<&Value> = log["entries"]
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| &entry["action"])
            .collect();
        assert_eq!(actions, ["resume", "run", "pause"]);
        assert_eq!(
            site.ask("audit?about=to%25main").await["entries"],
            json!([])
        );
        let page = site.ask("audit?limit=1&offset=2").await;
        assert_eq!(page["entries"][0]["action"], "pause");
    }
}

#[tokio::test]
async fn datasets_are_made_to_expire_by_command() {
    for databases in Databases::BOTH {
        let filled = Filled::new(databases).await;
        let site = filled.open().await;
        let ids = [filled.published, filled.stuck];
        let command = json!({"action": "force_expire", "ids": ids});
        assert_eq!(
            site.order(command, "force expire 2 datasets").await,
            "2 datasets"
        );
        let history = site.ask(&format!("datasets/{}", filled.published)).await;
        assert_eq!(history["dataset"]["forced"], true);
        assert_eq!(history["next"][0]["step"], "expire_google_int");
        assert_eq!(history["commands"][0]["action"], "force expire");
        let tasks = site.ask("tasks").await;
        assert_eq!(tasks["tasks"][7]["name"], "expire_google_prod");
        assert_eq!(tasks["tasks"][7]["ready"], 1);
    }
}

#[tokio::test]
async fn what_cannot_be_understood_is_refused_kindly() {
    let filled = Filled::new(Databases::Sqlite).await;
    let site = filled.open().await;
    let api = "/prompt-publication/api";
    for (path, status) in [
        ("search?q=nonsense", 422),
        ("search", 400),
        ("throughput?hours=0", 422),
        ("throughput?hours=x", 400),
        ("datasets/nonsense", 400),
        ("datasets/00000000-0000-0000-0000-000000000000", 404),
        ("nothing", 404),
    ] {
        let answer = site.get(&format!("{api}/{path}")).await;
        assert_eq!(answer.status, status, "{path}: {answer:?}");
        assert!(answer.json()["detail"].is_string(), "{answer:?}");
    }
}

#[tokio::test]
async fn numbers_and_health_are_there_for_those_who_watch() {
    for databases in Databases::BOTH {
        let filled = Filled::new(databases).await;
        let site = filled.open().await;
        let metrics = site.get("/metrics").await;
        for line in [
            "butler_pps_active 1",
            "butler_pps_datasets{repository=\"prompt_prep\",status=\"MISSING\"} 1",
            "butler_pps_troubled_datasets{kind=\"stuck\"} 1",
            "butler_pps_backlog_datasets{task=\"delete_prompt_prep\"} 36",
            "butler_pps_task_runs_total{task=\"to_google_int\"} 48",
            "butler_pps_task_run_errors_total{task=\"to_google_int\"} 1",
            "butler_pps_task_paused{task=\"to_main\"} 0",
            "butler_pps_task_last_success_timestamp_seconds{task=\"to_main\"} 17647",
            "butler_pps_backlog_age_seconds{task=\"delete_prompt_prep\"} ",
        ] {
            assert!(metrics.text.contains(line), "{line} in {}", metrics.text);
        }
        assert!(metrics.text.ends_with("# EOF\n"));
        assert_eq!(site.get("/health/live").await.status, 200);
        let ready = site.get("/health/ready").await;
        assert_eq!(ready.json(), json!({"status": "ok", "active": true}));
        filled.state.close().await;
        assert_eq!(site.get("/health/ready").await.status, 503);
        assert_eq!(site.get("/health/live").await.status, 200);
    }
}
