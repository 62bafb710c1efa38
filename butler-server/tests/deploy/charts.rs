//! The Helm charts, as the real Helm reads them.

use std::path::Path;

use butler_core::yaml;
use butler_tests::settings::quoted;
use serde_json::{Map, Value};

use crate::support::{CHARTS, errors, find, helm, read, render, value_files, values, workspace};

/// Kinds that have pods, and where these are in them.
const PODS: [(&str, &str); 4] = [
    ("Deployment", "/spec/template/spec"),
    ("StatefulSet", "/spec/template/spec"),
    ("CronJob", "/spec/jobTemplate/spec/template/spec"),
    ("Pod", "/spec"),
];

fn pods(manifests: &[Value]) -> Vec<&Value> {
    let pod = |manifest: &'_ Value| {
        let (_, place) = PODS.iter().find(|(kind, _)| manifest["kind"] == *kind)?;
        Some((*place).to_owned())
    };
    let found = manifests
        .iter()
        .filter_map(|manifest| manifest.pointer(&pod(manifest)?));
    found.collect()
}

fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    let lists = ["containers", "initContainers"].into_iter();
    lists.filter_map(|name| pod[name].as_array()).flatten()
}

/// What is refused of values in place of those for the least deployment.
fn refusal(chart: &str, text: &str) -> String {
    let file = values(text);
    let files = [value_files(chart)[1].clone(), file.path().to_owned()];
    let rendered = helm(&["template", chart], chart, &files);
    assert!(!rendered.status.success(), "{chart} takes {text}");
    errors(&rendered)
}

#[test]
fn charts_pass_the_strict_linter_with_and_without_values() {
    for chart in CHARTS {
        let mut cases = vec![Vec::new()];
        cases.extend(value_files(chart).into_iter().map(|file| vec![file]));
        for values in cases {
            let linted = helm(&["lint", "--strict"], chart, &values);
            let said = String::from_utf8_lossy(&linted.stdout);
            assert!(linted.status.success(), "{chart} {values:?}:\n{said}");
        }
    }
}

#[test]
fn manifests_are_valid_and_their_pods_have_no_rights_to_spare() {
    for chart in CHARTS {
        for file in value_files(chart) {
            let manifests = render(chart, std::slice::from_ref(&file));
            let pods = pods(&manifests);
            assert!(!pods.is_empty());
            for pod in pods {
                let place = format!("{}: {pod:#}", file.display());
                assert_eq!(pod["securityContext"]["runAsNonRoot"], true, "{place}");
                assert_ne!(pod["securityContext"]["runAsUser"], 0, "{place}");
                let seccomp = &pod["securityContext"]["seccompProfile"]["type"];
                assert_eq!(seccomp, "RuntimeDefault", "{place}");
                let scales = pod["serviceAccountName"]
                    .as_str()
                    .is_some_and(|name| name.ends_with("-scale"));
                // Only what scales speaks with Kubernetes.
                assert!(
                    scales || pod["automountServiceAccountToken"] == false,
                    "{place}"
                );
                for container in containers(pod) {
                    let security = &container["securityContext"];
                    assert_eq!(security["allowPrivilegeEscalation"], false, "{container:#}");
                    assert_eq!(security["readOnlyRootFilesystem"], true, "{container:#}");
                    assert_eq!(security["capabilities"]["drop"][0], "ALL", "{container:#}");
                }
            }
        }
    }
}

#[test]
fn the_server_is_probed_and_ends_without_cutting_anybody_off() {
    let manifests = render("butler", &value_files("butler")[..1]);
    let pod = pods(&manifests)[0];
    let server = &pod["containers"][0];
    for (probe, path) in [
        ("startupProbe", "/health/live"),
        ("livenessProbe", "/health/live"),
        ("readinessProbe", "/health/ready"),
    ] {
        assert_eq!(server[probe]["httpGet"]["path"], path);
    }
    let wait = server["lifecycle"]["preStop"]["sleep"]["seconds"]
        .as_i64()
        .unwrap();
    let config = &find(&manifests, "ConfigMap", "-private")["data"]["server.yaml"];
    let config = yaml::parse(config.as_str().unwrap()).unwrap().to_json();
    let grace = config["shutdown_seconds"].as_i64().unwrap();
    assert!(pod["terminationGracePeriodSeconds"].as_i64().unwrap() > wait + grace);
    // ingress-nginx may use a connection again that was idle for a minute.
    assert!(config["header_timeout_seconds"].as_i64().unwrap() > 60);
}

#[test]
fn the_values_of_the_python_servers_chart_give_the_same_environment() {
    let file = value_files("butler")
        .into_iter()
        .find(|file| file.ends_with("rsp-values.yaml"));
    let manifests = render("butler", &[file.unwrap()]);
    let pod = pods(&manifests)[0];
    let variables: Map<String, Value> = pod["containers"][0]["env"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| {
            (
                item["name"].as_str().unwrap().to_owned(),
                item["value"].clone(),
            )
        })
        .collect();
    for (name, value) in [
        (
            "AWS_SHARED_CREDENTIALS_FILE",
            "/opt/lsst/butler/secrets/aws-credentials.ini",
        ),
        (
            "PGPASSFILE",
            "/opt/lsst/butler/secrets/postgres-credentials.txt",
        ),
        ("S3_ENDPOINT_URL", "https://storage.example.org"),
        (
            "LSST_RESOURCES_S3_PROFILE_slac",
            "https://objects.example.org",
        ),
        (
            "DAF_BUTLER_SERVER_GAFAELFAWR_URL",
            "https://data.example.org/auth",
        ),
        ("DAF_BUTLER_SERVER_AUTHENTICATION", "rubin_science_platform"),
        (
            "DAF_BUTLER_SERVER_STATIC_FILES_PATH",
            "/opt/lsst/butler/public/config",
        ),
        ("PGUSER", "rubin"),
    ] {
        assert_eq!(variables[name], value, "{name}");
    }
    assert!(variables.contains_key("SENTRY_DSN"));
    let served = variables["DAF_BUTLER_SERVER_REPOSITORIES"]
        .as_str()
        .unwrap();
    let served: Value = serde_json::from_str(served).unwrap();
    assert_eq!(served["dp2"]["authorized_groups"][1], "g_dp2");

    let config = |name: &str| {
        let text = &find(&manifests, "ConfigMap", "-private")["data"][name];
        yaml::parse(text.as_str().unwrap()).unwrap().to_json()
    };
    let registry = &config("dp1.yaml")["registry"];
    assert_eq!(
        registry["db"],
        "postgresql://butler@alloydb.example.org:5432/dp1"
    );
    assert_eq!(registry["namespace"], "dm_51372");
    assert_eq!(config("dp2.yaml")["registry"]["namespace"], "dp2_mini");

    let index = &find(&manifests, "ConfigMap", "-public")["data"]["idf-repositories.yaml"];
    let index = yaml::parse(index.as_str().unwrap()).unwrap().to_json();
    let dp1 = "https://data.example.org/api/butler/repo/dp1/butler.yaml";
    assert_eq!(
        (&index["dp1"], &index["dp1-remote"]),
        (&dp1.into(), &dp1.into())
    );
}

#[test]
fn gafaelfawr_lets_nothing_through_without_a_token_but_what_is_public_or_signed() {
    let file = value_files("butler")
        .into_iter()
        .find(|file| file.ends_with("rsp-values.yaml"));
    let manifests = render("butler", &[file.unwrap()]);
    let paths = |manifest: &Value| -> Vec<String> {
        let paths = manifest
            .pointer("/template/spec/rules/0/http/paths")
            .unwrap();
        let paths = paths.as_array().unwrap().iter();
        paths
            .map(|path| path["path"].as_str().unwrap().to_owned())
            .collect()
    };
    let open = find(&manifests, "GafaelfawrIngress", "-anonymous");
    for path in paths(open) {
        let public = ["/butler.yaml", "/butler.json", "/v1/file", "/configs"];
        assert!(public.iter().any(|end| path.ends_with(end)), "{path}");
    }
    let guarded = find(&manifests, "GafaelfawrIngress", "butler");
    assert_eq!(guarded["config"]["scopes"]["all"][0], "read:image");
    assert_eq!(
        guarded["config"]["delegate"]["internal"]["service"],
        "butler"
    );
    assert_eq!(paths(guarded).len(), 3);
    let page = find(&manifests, "GafaelfawrIngress", "-page");
    assert_eq!(page["config"]["scopes"]["all"][0], "read:image");
    assert_eq!(page["config"]["loginRedirect"], true);
    assert!(
        manifests
            .iter()
            .all(|manifest| manifest["kind"] != "Ingress")
    );
    let policy = find(&manifests, "NetworkPolicy", "butler");
    let from = &policy["spec"]["ingress"][0]["from"][0];
    assert_eq!(
        from["podSelector"]["matchLabels"]["gafaelfawr.lsst.io/ingress"],
        "true"
    );
}

#[test]
fn wrong_values_are_refused_by_name() {
    for (chart, text, named) in [
        ("butler", "replicas: 3", "replicas"),
        (
            "butler",
            "config: {repositories: {a: {config_uri: x}}}",
            "authorized_groups",
        ),
        ("butler", "config: {pathPrefix: butler}", "pathPrefix"),
        (
            "butler",
            "config: {gafaelfawrUrl: nonsense}",
            "gafaelfawrUrl",
        ),
        (
            "butler",
            "config: {butlerConfigs: {server.yaml: x}}",
            "server.yaml",
        ),
        ("butler", "config: {repositories: {demo: null}}", "demo"),
        (
            "butler",
            "config: {promptPostgresUri: 'postgresql://db/prompt'}",
            "prompt.yaml",
        ),
        ("butler", "global: {host: null}", "global.host"),
        (
            "butler",
            "config: {gafaelfawrUrl: ''}",
            "how users are known",
        ),
        ("butler", "alloyDbProxy: {enabled: true}", "instanceUri"),
        ("butler-writer", "outputRepo: ''", "outputRepo"),
        ("butler-writer", "kafka: {topics: x}", "topics"),
        ("butler-writer", "resources: {cpuLimit: [1]}", "cpuLimit"),
        ("prompt-publication", "replicaCount: 2", "replicaCount"),
        (
            "prompt-publication",
            "publication: {stateDB: ''}",
            "stateDB",
        ),
        (
            "prompt-publication",
            "publication: {repos: {embargo: ''}}",
            "embargo",
        ),
        (
            "prompt-publication",
            "web: {enabled: true}",
            "how users are known",
        ),
        (
            "prompt-publication",
            "web: {enabled: true, gafaelfawrUrl: DISABLED}",
            "global.host",
        ),
    ] {
        let said = refusal(chart, text);
        assert!(said.contains(named), "{chart}, {text}: {said}");
    }
}

#[test]
fn a_server_without_repositories_is_refused() {
    let file = values("global: {host: x}\nconfig: {gafaelfawrUrl: DISABLED}\n");
    let rendered = helm(&["template", "butler"], "butler", &[file.path().to_owned()]);
    assert!(
        errors(&rendered).contains("at least one repository"),
        "{rendered:?}"
    );
}

/// Checks that the publication service listens as the variable says, and that its probes ask there.
fn assert_probed(manifests: &[Value], listen: &str) {
    let pods = pods(manifests);
    let service = &pods[0]["containers"][0];
    for (probe, path) in [
        ("startupProbe", "/health/live"),
        ("livenessProbe", "/health/live"),
        ("readinessProbe", "/health/ready"),
    ] {
        assert_eq!(service[probe]["httpGet"]["path"], path);
    }
    let variables = service["env"].as_array().unwrap().iter();
    let listening: Vec<&Value> = variables
        .filter(|variable| variable["name"].as_str().unwrap().ends_with("LISTEN"))
        .collect();
    assert_eq!(listening.len(), 1, "{listening:?}");
    assert_eq!(listening[0]["name"], listen);
    assert_eq!(listening[0]["value"], "0.0.0.0:8080");
}

#[test]
fn the_page_of_publication_is_served_only_where_it_is_wanted_and_only_through_the_ingress() {
    let files = value_files("prompt-publication");
    let without = render("prompt-publication", &files[..1]);
    for kind in ["Service", "Ingress", "GafaelfawrIngress", "ServiceMonitor"] {
        assert!(
            without.iter().all(|manifest| manifest["kind"] != kind),
            "{kind}"
        );
    }
    let policy = find(&without, "NetworkPolicy", "publication");
    assert_eq!(policy["spec"]["ingress"], Value::Null);
    assert_probed(&without, "PROMPTPUB_HEALTH_LISTEN");
    // Prometheus reaches it all the same.
    let scraped = values(
        "metrics: {serviceMonitor: {enabled: true}}\n\
         networkPolicy: {metricsFrom: [{namespaceSelector: {matchLabels: {a: b}}}]}\n",
    );
    let with_metrics = [files[0].clone(), scraped.path().to_owned()];
    let manifests = render("prompt-publication", &with_metrics);
    find(&manifests, "Service", "publication");
    find(&manifests, "ServiceMonitor", "publication");
    let policy = find(&manifests, "NetworkPolicy", "publication");
    let from = policy.pointer("/spec/ingress/0/from").unwrap();
    assert_eq!(from.as_array().unwrap().len(), 1, "{from}");

    let file = files.iter().find(|file| file.ends_with("web-values.yaml"));
    let manifests = render("prompt-publication", &[file.unwrap().clone()]);
    assert_probed(&manifests, "PROMPTPUB_LISTEN");
    let variables = pods(&manifests)[0]["containers"][0]["env"].clone();
    let variables = variables.as_array().unwrap();
    for (name, value) in [
        ("PROMPTPUB_WEB_GROUPS", "g_curators"),
        ("PROMPTPUB_WEB_READERS", "g_curators,g_operators"),
        ("PROMPTPUB_GAFAELFAWR_URL", "https://data.example.org/auth"),
    ] {
        let variable = variables.iter().find(|variable| variable["name"] == name);
        assert_eq!(variable.unwrap()["value"], value, "{name}");
    }
    let secret = variables
        .iter()
        .find(|variable| variable["name"] == "PORTAL_SECRET");
    let key = &secret.unwrap()["valueFrom"]["secretKeyRef"]["key"];
    assert_eq!(key, "portal_secret");
    for (end, path, redirect) in [
        ("-api", "/prompt-publication/api", false),
        ("-page", "/prompt-publication", true),
    ] {
        let ingress = find(&manifests, "GafaelfawrIngress", end);
        let given = ingress.pointer("/template/spec/rules/0/http/paths/0/path");
        assert_eq!(given.unwrap(), path);
        assert_eq!(ingress["config"]["loginRedirect"], redirect, "{path}");
        let delegate = &ingress["config"]["delegate"]["internal"]["service"];
        assert_eq!(delegate, "prompt-publication");
    }
    let policy = find(&manifests, "NetworkPolicy", "publication");
    let from = &policy["spec"]["ingress"][0]["from"][0];
    assert_eq!(
        from["podSelector"]["matchLabels"]["gafaelfawr.lsst.io/ingress"],
        "true"
    );
    let plain = values(
        "global: {host: data.example.org, baseUrl: null}\nweb: {gafaelfawrUrl: DISABLED}\ningress: {gafaelfawr: {enabled: false}}\n",
    );
    let files = [file.unwrap().clone(), plain.path().to_owned()];
    let manifests = render("prompt-publication", &files);
    let ingress = find(&manifests, "Ingress", "publication");
    let path = ingress.pointer("/spec/rules/0/http/paths/0/path");
    assert_eq!(path.unwrap(), "/prompt-publication");
}

#[test]
fn schemas_describe_exactly_the_values_that_charts_have() {
    for chart in CHARTS {
        let defaults = read(&format!("charts/{chart}/values.yaml"));
        let defaults = yaml::parse(&defaults).unwrap().to_json();
        let schema: Value =
            serde_json::from_str(&read(&format!("charts/{chart}/values.schema.json"))).unwrap();
        agree(chart, &defaults, &schema);
    }
}

/// Values that are given where they are needed, commented out in the defaults.
const COMMENTED: [&str; 1] = ["autoscaling.targetMemoryUtilizationPercentage"];

fn agree(place: &str, values: &Value, schema: &Value) {
    let (Some(values), Some(properties)) = (values.as_object(), schema["properties"].as_object())
    else {
        return;
    };
    let open = ["resources", "podSecurityContext"];
    for (name, value) in values {
        let described = properties.get(name);
        let described = described.unwrap_or_else(|| panic!("{place}.{name} is not in the schema"));
        if !open.contains(&name.as_str()) && !place.ends_with("probes") {
            agree(&format!("{place}.{name}"), value, described);
        }
    }
    for name in properties.keys() {
        let commented = COMMENTED
            .iter()
            .any(|path| format!("{place}.{name}").ends_with(path));
        let known = values.contains_key(name) || commented || place.ends_with(".global");
        assert!(known, "{place}.{name} is in the schema alone");
    }
}

/// The sources of a crate.
fn sources(directory: &Path) -> String {
    let entries = std::fs::read_dir(directory).unwrap();
    let text = entries.map(|entry| {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => sources(&path),
            false => std::fs::read_to_string(path).unwrap(),
        }
    });
    text.collect()
}

#[test]
fn charts_set_no_variable_that_programs_do_not_know() {
    let known = ["butler-server/src/settings.rs", "butler-pps/src"].map(|place| {
        let place = workspace().join(place);
        match place.is_dir() {
            true => sources(&place),
            false => std::fs::read_to_string(place).unwrap(),
        }
    });
    let known = known.concat();
    let ours = [
        "DAF_BUTLER_SERVER_",
        "PROMPTPUB_",
        "KAFKA_",
        "WRITER_",
        "BUTLER_",
        "OUTPUT_",
    ];
    let mut seen = 0;
    for chart in CHARTS {
        for file in value_files(chart) {
            for pod in pods(&render(chart, &[file])) {
                for item in containers(pod)
                    .filter_map(|one| one["env"].as_array())
                    .flatten()
                {
                    let name = item["name"].as_str().unwrap();
                    if ours.iter().any(|prefix| name.starts_with(prefix)) {
                        assert!(known.contains(&format!("\"{name}\"")), "{chart}: {name}");
                        seen += 1;
                    }
                }
            }
        }
    }
    assert!(seen > 30);
}

#[test]
fn every_alert_has_a_runbook() {
    let guide = read("docs/operator-guide.md");
    for (chart, values, prefix, metrics, least) in [
        (
            "butler",
            "everything-values.yaml",
            "butler_",
            "butler-server/src/observability/metrics.rs",
            6,
        ),
        (
            "butler-writer",
            "usdf-values.yaml",
            "butler_writer_",
            "butler-pps/src/writer/metrics.rs",
            3,
        ),
        (
            "prompt-publication",
            "web-values.yaml",
            "butler_pps_",
            "butler-pps/src/web/metrics.rs",
            5,
        ),
    ] {
        let mut files = value_files(chart).into_iter();
        let file = files.find(|file| file.ends_with(values)).unwrap();
        let manifests = render(chart, &[file]);
        let rule = find(&manifests, "PrometheusRule", "");
        let metrics = read(metrics);
        let alerts = rule["spec"]["groups"][0]["rules"].as_array().unwrap();
        assert!(alerts.len() >= least);
        for alert in alerts {
            let name = alert["alert"].as_str().unwrap();
            assert!(
                guide.contains(&format!("### {name}\n")),
                "no runbook for {name}"
            );
            // A misspelt number would never give an alarm.
            let expression = alert["expr"].as_str().unwrap();
            for word in expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
                let Some(number) = word.strip_prefix(prefix) else {
                    assert!(!word.starts_with("butler_"), "{word} is not of {chart}");
                    continue;
                };
                let counted = ["_total", "_seconds_bucket", "_seconds"]
                    .iter()
                    .fold(number, |name, end| name.trim_end_matches(end));
                assert!(metrics.contains(counted), "nothing counts {word}");
            }
        }
    }
}

/// The settings that a document describes, as files have them.
fn settings(document: &str) -> Vec<String> {
    let text = read(document);
    let rows = text.lines().filter(|line| line.starts_with("| `--"));
    let flags = rows.flat_map(|row| quoted(row.split('|').nth(1).unwrap()));
    flags
        .map(|flag| flag.trim_start_matches("--").replace('-', "_"))
        .collect()
}

#[test]
fn charts_hand_over_no_setting_that_programs_do_not_know() {
    for (chart, map, file, document) in [
        ("butler", "-private", "server.yaml", "docs/server.md"),
        (
            "prompt-publication",
            "-settings",
            "settings.yaml",
            "docs/pps.md",
        ),
    ] {
        let known = settings(document);
        for values in value_files(chart) {
            let manifests = render(chart, &[values]);
            let text = &find(&manifests, "ConfigMap", map)["data"][file];
            let given = yaml::parse(text.as_str().unwrap()).unwrap().to_json();
            for name in given.as_object().unwrap().keys() {
                assert!(known.contains(name), "{chart}: {name}");
            }
        }
    }
}

#[test]
fn all_charts_are_of_the_same_version_as_the_server() {
    for chart in CHARTS {
        let text = std::fs::read_to_string(workspace().join(format!("charts/{chart}/Chart.yaml")));
        let chart = yaml::parse(&text.unwrap()).unwrap().to_json();
        assert_eq!(chart["appVersion"], env!("CARGO_PKG_VERSION"));
        assert_eq!(chart["version"], env!("CARGO_PKG_VERSION"));
    }
}
