#![allow(clippy::unwrap_used)]
use super::*;

fn minimal() -> Options {
    Options {
        repositories: Some(
            r#"{"r": {"config_uri": "/r", "authorized_groups": ["*"]}}"#
                .parse()
                .unwrap(),
        ),
        gafaelfawr_url: Some("DISABLED".to_owned()),
        ..Options::default()
    }
}

fn refusal(options: Options) -> String {
    options.check().unwrap_err().to_string()
}

#[test]
fn the_variables_of_the_reference_are_enough() {
    let settings = minimal().check().unwrap();
    assert_eq!(settings.authentication, Authentication::Disabled);
    assert_eq!(settings.max_streaming_queries, 25);
    assert_eq!(settings.repositories["r"].config_uri, "/r");
}

#[test]
fn wrong_values_are_refused_in_one_line() {
    let wrong = [
        Options::default(),
        Options {
            repositories: None,
            ..minimal()
        },
        Options {
            gafaelfawr_url: Some("nonsense".to_owned()),
            ..minimal()
        },
        Options {
            url_lifetime_seconds: Some(0),
            ..minimal()
        },
        Options {
            url_signing_key: Some("short".to_owned()),
            ..minimal()
        },
        Options {
            static_files_path: Some("/does/not/exist".into()),
            ..minimal()
        },
        Options {
            lookup_connections: Some(0),
            ..minimal()
        },
        Options {
            max_connections: Some(0),
            ..minimal()
        },
        Options {
            query_timeout_seconds: Some(u64::MAX),
            ..minimal()
        },
        Options {
            jwt_key_file: Some("key.pem".into()),
            ..minimal()
        },
    ];
    for options in wrong {
        let shown = format!("{options:?}");
        assert_eq!(refusal(options).lines().count(), 1, "{shown}");
    }
}

#[test]
fn flags_win_over_the_file() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let text = "max_user_queries: 4\nretry_after_seconds: 7\nauthentication: cadc\n";
    std::fs::write(file.path(), text).unwrap();
    let options = Options {
        config: Some(file.path().to_owned()),
        max_user_queries: Some(3),
        ..minimal()
    };
    let settings = options.check().unwrap();
    assert_eq!(settings.max_user_queries, 3);
    assert_eq!(settings.retry_after_seconds, 7);
    assert_eq!(settings.file_access, FileAccess::Cadc);
}

#[test]
fn unknown_settings_in_the_file_are_refused_by_name() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "max_queries: 4\n").unwrap();
    let options = Options {
        config: Some(file.path().to_owned()),
        ..minimal()
    };
    assert!(refusal(options).contains("max_queries"));
}
