//! Configurations read and written.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use butler_core::config::{Config, EmbeddedDefaults};
use butler_core::{Error, Result};
use bytes::Bytes;
use serde_json::Value;
use tempfile::TempDir;

use super::*;
use crate::environment::Environment;
use crate::resource::{ResourcePath, Resources};

fn loader(environment: Environment) -> ConfigLoader {
    ConfigLoader::new(Resources::builder().environment(environment).build())
}

fn reader(environment: Environment) -> ConfigReader {
    ConfigReader::new(Resources::builder().environment(environment).build())
}

fn none() -> Environment {
    Environment::fixed::<&str, &str>([])
}

fn write(directory: &TempDir, name: &str, text: &str) -> PathBuf {
    let path = directory.path().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    path
}

async fn load(path: &Path, environment: Environment) -> Result<Config> {
    loader(environment)
        .load(&ResourcePath::from_local(path).unwrap())
        .await
}

fn yaml(text: &str) -> Config {
    Config::from_yaml(text).unwrap()
}

fn golden(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn string(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

// ---- files -----------------------------------------------------------------------------------

#[tokio::test]
async fn tags_include_files_beside_the_including_one() {
    let dir = TempDir::new().unwrap();
    write(
        &dir,
        "sub/one.yaml",
        "x: 1\nnested: !include more/two.yaml\n",
    );
    write(&dir, "sub/more/two.yaml", "[a, !include three.txt]");
    write(&dir, "sub/more/three.txt", "deep");
    let absolute = write(&dir, "absolute.yaml", "here: true");
    let main = write(
        &dir,
        "main.yaml",
        "one: !include sub/one.yaml\n\
         list: !include [sub/more/three.txt, $WHERE]\n\
         map: !include {key: sub/more/three.txt}\n\
         plain: $WHERE\n",
    );
    let environment = Environment::fixed([("WHERE", absolute.to_str().unwrap())]);
    let config = load(&main, environment).await.unwrap();
    let expected = yaml(
        "one: {x: 1, nested: [a, deep]}\nlist: [deep, {here: true}]\nmap: {key: deep}\n\
         plain: $WHERE",
    );
    assert_eq!(config, expected);
}

#[tokio::test]
async fn include_keys_lay_files_below_what_stands_beside_them() {
    let dir = TempDir::new().unwrap();
    write(
        &dir,
        "base.yaml",
        "a: 1\nb: 1\nc: {includeConfigs: deeper.json}\n",
    );
    write(&dir, "deeper.json", r#"{"d": 4}"#);
    write(&dir, "more.yaml", "b: 2\n");
    let main = write(
        &dir,
        "main.yaml",
        "k:\n  includeConfigs: [$NAME.yaml, more.yaml]\n  a: 9\n",
    );
    let config = load(&main, Environment::fixed([("NAME", "base")]))
        .await
        .unwrap();
    assert_eq!(config, yaml("k: {a: 9, b: 2, c: {d: 4}}"));
}

#[tokio::test]
async fn unreadable_files_are_named_with_the_line() {
    let dir = TempDir::new().unwrap();
    let broken = write(&dir, "broken.yaml", "a: 1\nb: [1, 2\nc: 3\n");
    let text = load(&broken, none()).await.unwrap_err().to_string();
    assert!(
        text.contains("broken.yaml") && text.contains("line 3"),
        "{text}"
    );

    let main = write(&dir, "main.yaml", "x: !include broken.yaml\n");
    let text = load(&main, none()).await.unwrap_err().to_string();
    assert!(
        text.contains("broken.yaml") && text.contains("line"),
        "{text}"
    );

    let json = write(&dir, "broken.json", "{\"a\":\n  nope}");
    let text = load(&json, none()).await.unwrap_err().to_string();
    assert!(
        text.contains("broken.json") && text.contains("line 2"),
        "{text}"
    );

    let list = write(&dir, "list.yaml", "- 1\n");
    let text = load(&list, none()).await.unwrap_err().to_string();
    assert!(
        text.contains("list.yaml") && text.contains("mapping"),
        "{text}"
    );

    let binary = dir.path().join("binary.yaml");
    fs::write(&binary, b"a: 1\nb: \xff\n").unwrap();
    let text = load(&binary, none()).await.unwrap_err().to_string();
    assert!(text.contains("line 2") && text.contains("UTF-8"), "{text}");
}

#[tokio::test]
async fn missing_and_circular_includes_are_errors() {
    let dir = TempDir::new().unwrap();
    for text in ["x: !include none.yaml", "includeConfigs: none.yaml"] {
        let main = write(&dir, "main.yaml", text);
        let error = load(&main, none()).await.unwrap_err();
        assert!(matches!(error, Error::FileNotFound(_)), "{error:?}");
        let text = error.to_string();
        assert!(
            text.contains("none.yaml") && text.contains("main.yaml"),
            "{text}"
        );
    }
    for text in ["x: !include circle.yaml", "includeConfigs: circle.yaml"] {
        let circle = write(&dir, "circle.yaml", text);
        let text = load(&circle, none()).await.unwrap_err().to_string();
        assert!(text.contains("circle"), "{text}");
    }
    let odd = write(&dir, "main.toml", "");
    let text = load(&odd, none()).await.unwrap_err().to_string();
    assert!(text.contains("*.yaml"), "{text}");
}

#[tokio::test]
async fn configurations_are_read_from_any_storage() {
    let resources = Resources::default();
    let put = async |name: &str, text: &'static str| {
        let uri = ResourcePath::new(&format!("mem://store/repo/{name}")).unwrap();
        resources
            .write(&uri, Bytes::from_static(text.as_bytes()), true)
            .await
            .unwrap();
    };
    put("butler.yaml", "datastore: {templates: !include t.yaml}\n").await;
    put("t.yaml", "raw: '{id}'").await;
    let reader = ConfigReader::new(resources);
    let config = reader.open("mem://store/repo").await.unwrap();
    let templates = config
        .datastore()
        .unwrap()
        .require_subset("templates")
        .unwrap();
    assert_eq!(templates.get_str("raw").unwrap(), Some("{id}"));
    assert_eq!(config.root_text().unwrap().unwrap(), "mem://store/repo");
}

// ---- repositories ----------------------------------------------------------------------------

#[tokio::test]
async fn a_repository_is_found_by_directory_file_or_label() {
    let dir = TempDir::new().unwrap();
    let file = write(&dir, "repo/butler.yaml", "registry: {namespace: mine}\n");
    let root = dir.path().join("repo");
    let index = write(
        &dir,
        "index.yaml",
        &format!("main: {}\nweb: https://x/y\n", root.display()),
    );
    let inline = format!("{{\"main\": \"{}\"}}", file.display());
    for (environment, name) in [
        (none(), root.to_str().unwrap()),
        (none(), file.to_str().unwrap()),
        (
            Environment::fixed([("REPO", root.to_str().unwrap())]),
            "$REPO/",
        ),
        (
            Environment::fixed([("DAF_BUTLER_REPOSITORY_INDEX", index.to_str().unwrap())]),
            "main",
        ),
        (
            Environment::fixed([("DAF_BUTLER_REPOSITORIES", inline.as_str())]),
            "main",
        ),
    ] {
        let config = reader(environment).open(name).await.unwrap();
        assert_eq!(config.namespace().unwrap().unwrap(), "mine", "{name}");
        assert_eq!(
            config.root_text().unwrap().unwrap(),
            root.to_str().unwrap(),
            "{name}"
        );
        assert_eq!(config.kind().unwrap(), ButlerKind::Direct);
        let expected = DatabaseUrl::SqliteFile(root.join("gen3.sqlite3"));
        assert_eq!(config.database_url().unwrap(), expected);
        let datastore = config.datastore().unwrap();
        let files = config
            .resolve_directory(datastore.require_str("root").unwrap())
            .unwrap();
        assert_eq!(files.local_path().unwrap(), root.join("datastore/"));
    }
}

#[tokio::test]
async fn an_unknown_repository_is_told_what_is_known() {
    let inline = Environment::fixed([("DAF_BUTLER_REPOSITORIES", "{dp1: /a, prompt: /b}")]);
    let error = reader(inline).open("dp2").await.unwrap_err();
    assert!(matches!(error, Error::FileNotFound(_)), "{error:?}");
    assert!(error.to_string().contains("dp1, prompt"), "{error}");

    let inline = Environment::fixed([("DAF_BUTLER_REPOSITORIES", "{gone: /nowhere/at/all}")]);
    let text = reader(inline).open("gone").await.unwrap_err().to_string();
    assert!(
        text.contains("/nowhere/at/all") && text.contains("label 'gone'"),
        "{text}"
    );

    let text = reader(none()).open("dp2").await.unwrap_err().to_string();
    assert!(text.contains("no repository index"), "{text}");

    for (name, value) in [
        ("DAF_BUTLER_REPOSITORY_INDEX", "/nowhere.yaml"),
        ("DAF_BUTLER_REPOSITORIES", "[a, b]"),
        ("DAF_BUTLER_REPOSITORIES", "{a: {b: c}}"),
    ] {
        let text = reader(Environment::fixed([(name, value)]))
            .open("dp2")
            .await;
        let text = text.unwrap_err().to_string();
        assert!(text.contains("not looked up"), "{text}");
    }
    let both = [
        ("DAF_BUTLER_REPOSITORY_INDEX", "/x"),
        ("DAF_BUTLER_REPOSITORIES", "{}"),
    ];
    let error = RepositoryIndex::from_environment(&loader(Environment::fixed(both))).await;
    assert!(error.unwrap_err().to_string().contains("one of them only"));
}

#[tokio::test]
async fn defaults_of_the_site_lie_between_those_of_the_library_and_the_repository() {
    let dir = TempDir::new().unwrap();
    write(
        &dir,
        "one/registry.yaml",
        "registry: {namespace: one, extra: one}\n",
    );
    write(
        &dir,
        "two/registry.yaml",
        "namespace: two\nextra: two\nthird: two\n",
    );
    write(
        &dir,
        "one/datastores/fileDatastore.yaml",
        "datastore: {checksum: true}\n",
    );
    let repo = write(&dir, "repo/butler.yaml", "registry: {extra: repo}\n");
    let path = format!("{0}/one:{0}/two", dir.path().display());
    let reader = reader(Environment::fixed([("DAF_BUTLER_CONFIG_PATH", path)]));
    let config = reader.open(repo.to_str().unwrap()).await.unwrap();
    let registry = config.registry().unwrap();
    let get = |key: &str| registry.get_str(key).unwrap().unwrap().to_owned();
    assert_eq!(get("namespace"), "one");
    assert_eq!(get("extra"), "repo");
    assert_eq!(get("third"), "two");
    assert!(get("db").contains("<butlerRoot>"));
    assert_eq!(
        config.datastore().unwrap().get_bool("checksum").unwrap(),
        Some(true)
    );
    assert_eq!(reader.defaults().await.unwrap().files().len(), 3);
}

#[tokio::test]
async fn an_explicit_root_and_the_class_are_read() {
    let dir = TempDir::new().unwrap();
    let file = write(
        &dir,
        "c.yaml",
        "root: $BASE/repo\ncls: lsst.daf.butler.remote_butler.RemoteButler",
    );
    let config = reader(Environment::fixed([("BASE", "/base")]));
    let config = config.open(file.to_str().unwrap()).await.unwrap();
    assert_eq!(config.root_text().unwrap().unwrap(), "/base/repo");
    assert_eq!(config.kind().unwrap(), ButlerKind::Remote);
    let odd = write(&dir, "odd.yaml", "cls: my.Butler");
    let odd = reader(none()).open(odd.to_str().unwrap()).await.unwrap();
    assert!(odd.kind().unwrap_err().to_string().contains("my.Butler"));
}

// ---- databases -------------------------------------------------------------------------------

#[test]
fn database_urls_agree_with_sqlalchemy() {
    for case in golden(include_str!("../../tests/data/database_urls.json"))
        .as_array()
        .unwrap()
    {
        let found = DatabaseUrl::parse(case["url"].as_str().unwrap());
        if case["error"].as_bool() == Some(true) {
            assert!(found.is_err(), "{case}: {found:?}");
            continue;
        }
        let database = string(&case["database"]);
        match found.unwrap() {
            DatabaseUrl::SqliteFile(path) => {
                assert_eq!(Some(path), database.map(PathBuf::from), "{case}");
            }
            DatabaseUrl::SqliteMemory => {
                assert!(
                    matches!(database.as_deref(), None | Some(":memory:")),
                    "{case}"
                );
            }
            DatabaseUrl::Postgres(url) => {
                let query = case["query"].as_object().unwrap();
                let host = query.get("host").unwrap_or(&case["host"]);
                assert_eq!(url.host, string(host), "{case}");
                assert_eq!(url.port.map(u64::from), case["port"].as_u64(), "{case}");
                assert_eq!(url.user, string(&case["user"]), "{case}");
                let password = url.password.as_ref().map(|p| p.expose().to_owned());
                assert_eq!(password, string(&case["password"]), "{case}");
                assert_eq!(url.database, database, "{case}");
                for (name, value) in query.iter().filter(|(name, _)| *name != "host") {
                    let wanted = (name.clone(), value.as_str().unwrap().to_owned());
                    assert!(url.options.contains(&wanted), "{case}");
                }
                // What is rendered means the same.
                let again = DatabaseUrl::parse(&url.to_connection_string()).unwrap();
                let mut expected = url.clone();
                if let Some(host) = expected.host.take().filter(|host| host.starts_with('/')) {
                    expected.host = Some(host.replace('/', "%2F"));
                } else {
                    expected.host = url.host.clone();
                }
                assert_eq!(again, DatabaseUrl::Postgres(expected), "{case}");
            }
        }
    }
}

#[test]
fn passwords_do_not_show() {
    let url = DatabaseUrl::parse("postgresql://u:hush@h/db").unwrap();
    assert_eq!(url.to_string(), "postgresql://u:***@h/db");
    assert!(!format!("{url:?}").contains("hush"));
    for broken in [
        "postgresql://u:hush@h:x/db",
        "oracle://u:hush@h/db",
        "u:hush@h/db",
    ] {
        let text = DatabaseUrl::parse(broken).unwrap_err().to_string();
        assert!(!text.contains("hush"), "{text}");
    }
}

#[test]
fn sqlite_urls_with_a_host_are_explained() {
    for wrong in ["sqlite://file.db", "sqlite:///x.db?uri=true"] {
        assert!(DatabaseUrl::parse(wrong).is_err(), "{wrong}");
    }
    let text = DatabaseUrl::parse("sqlite://repo/x.db")
        .unwrap_err()
        .to_string();
    assert!(text.contains("three slashes"), "{text}");
}

#[test]
fn database_credentials_agree_with_the_python_package() {
    let cases = golden(include_str!("../../tests/data/db_auth.json"));
    let entries = cases["entries"].as_array().unwrap();
    for case in cases["queries"].as_array().unwrap() {
        let list = if case["list"] == "all" {
            &entries[..]
        } else {
            &entries[..6]
        };
        let text = serde_json::to_string(list).unwrap();
        let environment = Environment::fixed([("LSST_DB_AUTH_CREDENTIALS", text)]);
        let auth = DbAuth::from_environment(&environment).unwrap().unwrap();
        let url = PostgresUrl {
            host: string(&case["host"]),
            port: case["port"]
                .as_u64()
                .map(|port| u16::try_from(port).unwrap()),
            user: string(&case["user"]),
            database: string(&case["database"]),
            ..PostgresUrl::default()
        };
        match (auth.find(&url), case["error"].as_str()) {
            (Ok(Some(found)), None) => {
                assert_eq!(found.user, string(&case["result"][0]), "{case}");
                assert_eq!(found.password.expose(), case["result"][1].as_str().unwrap());
            }
            (Ok(None), Some("DbAuthNotFoundError")) => {}
            (Err(_), Some("DbAuthError")) => {}
            (found, _) => panic!("{case}: {found:?}"),
        }
    }
}

#[test]
fn a_credentials_file_that_others_may_read_is_refused() {
    let dir = TempDir::new().unwrap();
    let text = "- url: postgresql://*\n  username: ada\n  password: hush\n";
    let path = write(&dir, ".lsst/db-auth.yaml", text);
    let home = Environment::fixed([("HOME", dir.path().to_str().unwrap())]);
    let mode = |bits| fs::set_permissions(&path, fs::Permissions::from_mode(bits)).unwrap();
    mode(0o640);
    let error = DbAuth::from_environment(&home).unwrap_err().to_string();
    assert!(
        error.contains("640") && error.contains("chmod 600"),
        "{error}"
    );
    mode(0o600);
    let auth = DbAuth::from_environment(&home).unwrap().unwrap();
    let url = PostgresUrl {
        host: Some("h".into()),
        database: Some("d".into()),
        ..PostgresUrl::default()
    };
    assert_eq!(auth.find(&url).unwrap().unwrap().user.unwrap(), "ada");
    assert!(!format!("{auth:?}").contains("hush"));
    fs::write(&path, "- url: [\n  password: hush").unwrap();
    let error = DbAuth::from_environment(&home).unwrap_err().to_string();
    assert!(
        error.contains("db-auth.yaml") && !error.contains("hush"),
        "{error}"
    );
    assert!(DbAuth::from_environment(&none()).unwrap().is_none());
}

#[test]
fn postgresql_clients_have_defaults() {
    let dir = TempDir::new().unwrap();
    let passfile = write(&dir, "pass", "h:5432:db:eve:from-file\n*:*:*:*:any\n");
    fs::set_permissions(&passfile, fs::Permissions::from_mode(0o600)).unwrap();
    let passfile = passfile.to_str().unwrap();
    let environment = Environment::fixed([("PGUSER", "eve"), ("PGPASSFILE", passfile)]);
    let complete = |text: &str, environment: &Environment| {
        let DatabaseUrl::Postgres(mut url) = DatabaseUrl::parse(text).unwrap() else {
            panic!()
        };
        url.complete(environment);
        let password = url.password.map(|p| p.expose().to_owned());
        (url.user, password)
    };
    let some = |text: &str| Some(text.to_owned());
    let (user, password) = complete("postgresql://h/db", &environment);
    assert_eq!((user, password), (some("eve"), some("from-file")));
    assert_eq!(
        complete("postgresql://h/other", &environment).1,
        some("any")
    );
    assert_eq!(
        complete("postgresql://u:own@h/db", &environment).1,
        some("own")
    );
    let explicit = Environment::fixed([
        ("PGUSER", "eve"),
        ("PGPASSWORD", "direct"),
        ("PGPASSFILE", passfile),
    ]);
    assert_eq!(complete("postgresql://h/db", &explicit).1, some("direct"));
    fs::set_permissions(passfile, fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(complete("postgresql://h/db", &environment).1, None);
}

#[tokio::test]
async fn the_database_url_is_put_together_from_all_sources() {
    let dir = TempDir::new().unwrap();
    let repo = write(
        &dir,
        "butler.yaml",
        "registry:\n  db: postgresql+psycopg2://db.example.org\n  database: butler\n  port: 5433\n",
    );
    let auth =
        r#"[{"url": "postgresql://*.example.org/but*", "username": "svc", "password": "x"}]"#;
    let environment = Environment::fixed([("LSST_DB_AUTH_CREDENTIALS", auth), ("PGUSER", "no")]);
    let config = reader(environment)
        .open(repo.to_str().unwrap())
        .await
        .unwrap();
    let DatabaseUrl::Postgres(url) = config.database_url().unwrap() else {
        panic!()
    };
    assert_eq!(
        url.to_connection_string(),
        "postgresql://svc:x@db.example.org:5433/butler"
    );
}

// ---- seeds -----------------------------------------------------------------------------------

#[test]
fn seeds_agree_with_the_python_package() {
    for case in golden(include_str!("../../tests/data/seeds.json"))
        .as_array()
        .unwrap()
    {
        let given = yaml(case["given"].as_str().unwrap());
        let options = SeedOptions {
            standalone: case["standalone"].as_bool().unwrap(),
            force_root: case["force_root"].as_bool().unwrap(),
        };
        let name = format!("{} {options:?}", case["name"]);
        let seed = Seed::new(&given, &EmbeddedDefaults, &options).unwrap();
        let text = seed.file.to_yaml();
        match case["yaml"].as_str() {
            Some(expected) => assert_eq!(text, expected, "{name}"),
            // A digest of the text without anchors, which Python writes for repeated lists.
            None => {
                let digest = crate::resource::ChecksumAlgorithm::Sha256.of(text.as_bytes());
                assert_eq!(Some(digest.as_str()), case["sha256"].as_str(), "{name}");
            }
        }
    }
}

#[tokio::test]
async fn a_seed_is_written_once() {
    let dir = TempDir::new().unwrap();
    let root = ResourcePath::from_local(&dir.path().join("repo")).unwrap();
    let resources = Resources::default();
    let mut seed = Seed::new(&Config::new(), &EmbeddedDefaults, &SeedOptions::default()).unwrap();
    let file = seed.write(&resources, &root, None, false).await.unwrap();
    assert_eq!(
        file.local_path().unwrap(),
        dir.path().join("repo/butler.yaml")
    );
    let again = seed.write(&resources, &root, None, false).await;
    assert!(matches!(again, Err(Error::FileExists(_))), "{again:?}");
    seed.write(&resources, &root, None, true).await.unwrap();

    let elsewhere = ResourcePath::from_local(&dir.path().join("other/seed.yaml")).unwrap();
    let file = seed
        .write(&resources, &root, Some(&elsewhere), false)
        .await
        .unwrap();
    let config = ConfigReader::new(resources).open_uri(&file).await.unwrap();
    let root_path = dir.path().join("repo");
    assert_eq!(
        config.root_text().unwrap().unwrap(),
        root_path.to_str().unwrap()
    );
    let database = config.database_url().unwrap();
    assert_eq!(
        database,
        DatabaseUrl::SqliteFile(root_path.join("gen3.sqlite3"))
    );
}

#[test]
fn a_chain_without_members_is_an_error() {
    let chain = "lsst.daf.butler.datastores.chainedDatastore.ChainedDatastore";
    let given = yaml(&format!("datastore: {{cls: {chain}}}"));
    let error = Seed::new(&given, &EmbeddedDefaults, &SeedOptions::default()).unwrap_err();
    assert!(error.to_string().contains("datastores"), "{error}");
}
