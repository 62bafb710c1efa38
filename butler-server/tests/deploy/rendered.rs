//! A server with exactly the environment, arguments and files that the rendered chart gives it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use butler_tests::ports::ReservedPort;
use butler_tests::postgres::TestSchema;
use butler_tests::s3::{ACCESS_KEY, REGION, S3Server, SECRET_KEY};
use serde_json::{Value, json};

use crate::places::{BUCKET, repository};
use crate::support::{find, program, render, values};

/// How long the server may take until it answers.
const LIMIT: Duration = Duration::from_secs(120);

/// A pod: what it mounts lies below a directory, and paths in what it is told lead there.
struct Pod {
    root: PathBuf,
    spec: Value,
}

impl Pod {
    /// Lays out the volumes of the pod of a Deployment below a directory.
    fn new(manifests: &[Value], secrets: &BTreeMap<String, Value>, root: &Path) -> Self {
        let spec = find(manifests, "Deployment", "butler")["spec"]["template"]["spec"].clone();
        let pod = Self {
            root: root.to_owned(),
            spec,
        };
        for volume in pod.spec["volumes"].as_array().unwrap() {
            let directory = pod.volume(volume["name"].as_str().unwrap());
            fs::create_dir_all(&directory).unwrap();
            let projected = volume["projected"]["sources"].as_array();
            for source in projected.map_or(std::slice::from_ref(volume), Vec::as_slice) {
                if let Some(name) = source["configMap"]["name"].as_str() {
                    let data = &find(manifests, "ConfigMap", name)["data"];
                    for (file, text) in data.as_object().into_iter().flatten() {
                        let text = pod.moved(text.as_str().unwrap());
                        fs::write(directory.join(file), text).unwrap();
                    }
                }
                if let Some(name) = source["secret"]["secretName"].as_str() {
                    for (file, content) in secrets[name].as_object().unwrap() {
                        let path = directory.join(file);
                        fs::write(&path, content.as_str().unwrap()).unwrap();
                        // As Kubernetes has it: others may read it.
                        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
                    }
                }
            }
        }
        pod
    }

    fn volume(&self, name: &str) -> PathBuf {
        self.root.join("volumes").join(name)
    }

    /// A text in which paths lead below the directory.
    fn moved(&self, text: &str) -> String {
        let root = self.root.to_str().unwrap();
        text.replace("/opt/lsst/", &format!("{root}/opt/lsst/"))
            .replace("/tmp/secrets", &format!("{root}/tmp/secrets"))
    }

    /// The command of a container, with its environment and nothing else, its volumes mounted.
    fn command(&self, container: &Value, secrets: &BTreeMap<String, Value>) -> Command {
        for mount in container["volumeMounts"].as_array().unwrap() {
            let place = self
                .root
                .join(mount["mountPath"].as_str().unwrap().trim_start_matches('/'));
            if place.ends_with("tmp") || place.exists() {
                continue;
            }
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            let volume = self.volume(mount["name"].as_str().unwrap());
            std::os::unix::fs::symlink(volume, place).unwrap();
        }
        let words = ["command", "args"].into_iter();
        let words = words
            .filter_map(|name| container[name].as_array())
            .flatten();
        let mut words = words.map(|word| self.moved(word.as_str().unwrap()));
        assert_eq!(words.next().unwrap(), "butler-server");
        let mut command = Command::new(program());
        command.args(words).env_clear();
        for item in container["env"].as_array().into_iter().flatten() {
            let reference = &item["valueFrom"]["secretKeyRef"];
            let value = match reference["name"].as_str() {
                None => item["value"].as_str().map(str::to_owned),
                Some(secret) => {
                    let found = secrets[secret][reference["key"].as_str().unwrap()].as_str();
                    assert!(found.is_some() || reference["optional"] == true);
                    found.map(str::to_owned)
                }
            };
            if let Some(value) = value {
                command.env(item["name"].as_str().unwrap(), self.moved(&value));
            }
        }
        command
    }
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_as_the_chart_sets_it_up_serves_a_repository() {
    let directory = tempfile::tempdir().unwrap();
    let (schema, objects) = (TestSchema::new(), S3Server::start(&[BUCKET]));
    let root = directory.path().join("repo");
    let note = repository(&root, Some((&schema, schema.url())), Some(&objects)).await;
    let port = ReservedPort::new();
    let address = port.address();
    let given = json!({
        "global": {"baseUrl": "https://data.example.org"},
        "config": {
            "gafaelfawrUrl": "DISABLED",
            "repositories": {"dp1": {
                "config_uri": "file:///opt/lsst/butler/config/dp1.yaml",
                "authorized_groups": ["*"],
            }},
            "dp1PostgresUri": schema.url(),
            "butlerConfigs": {"dp1.yaml": {
                "datastore": {
                    "cls": "lsst.daf.butler.datastores.fileDatastore.FileDatastore",
                    "root": "s3://data/files/",
                    "records": {"table": "file_datastore_records"},
                },
                "registry": {"namespace": schema.name()},
            }},
            "s3EndpointUrl": objects.endpoint(),
            "settings": {"url_lifetime_seconds": 600},
            "publicFiles": {"welcome.txt": "Welcome to {{ .Values.global.baseUrl }}\n"},
        },
        "extraEnv": [
            {"name": "DAF_BUTLER_SERVER_LISTEN", "value": address.to_string()},
            {"name": "AWS_REGION", "value": REGION},
        ],
    });
    let file = values(&given.to_string());
    let manifests = render("butler", &[file.path().to_owned()]);
    let credentials = format!(
        "[default]\naws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {SECRET_KEY}\n"
    );
    let secrets = BTreeMap::from([(
        "butler".to_owned(),
        json!({
            "aws-credentials.ini": credentials,
            "postgres-credentials.txt": "127.0.0.1:*:*:postgres:unused\n",
            "url-signing-key": "a key that all replicas have in common",
        }),
    )]);
    let pod = Pod::new(&manifests, &secrets, directory.path());
    for init in pod.spec["initContainers"].as_array().unwrap() {
        assert!(pod.command(init, &secrets).status().unwrap().success());
    }
    let copied = pod.volume("secrets").join("postgres-credentials.txt");
    assert_eq!(
        fs::metadata(copied).unwrap().permissions().mode() & 0o777,
        0o400
    );
    let mut command = pod.command(&pod.spec["containers"][0], &secrets);
    let _server = Running(command.stdout(std::process::Stdio::null()).spawn().unwrap());

    let base = format!("http://{address}");
    let begin = Instant::now();
    while reqwest::get(format!("{base}/health/ready")).await.is_err() {
        assert!(begin.elapsed() < LIMIT, "the server does not answer");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let get = async |path: &str| {
        let answer = reqwest::get(format!("{base}{path}")).await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answer.text().await.unwrap()
    };
    let files = get(&format!("/api/butler/repo/dp1/v1/get_file/{note}")).await;
    let files: Value = serde_json::from_str(&files).unwrap();
    let url = files["artifact"]["file_info"][0]["url"].as_str().unwrap();
    assert!(url.contains("X-Amz-Expires=600"), "{url}");
    let content = reqwest::get(url).await.unwrap().text().await.unwrap();
    assert_eq!(content.trim(), "text: hidden in plain sight");
    let welcome = get("/api/butler/configs/welcome.txt").await;
    assert_eq!(welcome, "Welcome to https://data.example.org\n");
    let index = get("/api/butler/configs/repositories.yaml").await;
    let dp1 = "dp1: https://data.example.org/api/butler/repo/dp1/butler.yaml";
    assert_eq!(index.trim(), dp1);

    // The chart's own test, which asks the service; here, the server.
    let test = find(&manifests, "Pod", "-test")["spec"]["containers"][0].clone();
    let words = test["command"].as_array().unwrap();
    assert_eq!(words[2], "http://butler:8080");
    // The environment of the server does not keep it from being asked in its container.
    let asked = Command::new(program())
        .args(["healthcheck", &base])
        .env("DAF_BUTLER_SERVER_GAFAELFAWR_URL", "DISABLED")
        .status();
    assert!(asked.unwrap().success());
}
