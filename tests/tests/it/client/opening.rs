//! Opening repositories without saying of which kind they are.

use butler::{LabeledButlerFactory, OpenOptions, Repository};
use butler_core::Error;
use butler_direct::environment::Environment;
use butler_tests::server::Program;
use serde_json::json;
use uuid::Uuid;

use super::served::Service;

/// An environment with a repository index, at an address or inline, and a token.
fn environment(service: &Service, index: (&str, String)) -> Environment {
    let mut variables = service.s3.environment();
    variables.push((index.0.to_owned(), index.1));
    variables.push(("BUTLER_RUBIN_ACCESS_TOKEN".to_owned(), "a token".to_owned()));
    Environment::fixed(variables)
}

fn options(environment: &Environment) -> OpenOptions {
    OpenOptions {
        environment: environment.clone(),
        ..OpenOptions::default()
    }
}

pub(crate) async fn opened(program: &Program) {
    let service = Service::start(program, &["--data", "base.yaml,datasets.yaml"]);
    let index = json!({
        "remote": service.repository("sqlite"),
        "direct": service.root("sqlite"),
    });
    let published = service.publish("index.yaml", &index.to_string());
    let indexes = [
        ("DAF_BUTLER_REPOSITORIES", index.to_string()),
        ("DAF_BUTLER_REPOSITORY_INDEX", published),
    ];
    for index in indexes {
        labels(&service, &environment(&service, index)).await;
    }
    let nothing = environment(&service, ("UNUSED", String::new()));
    let file = format!("{}/butler.json", service.repository("postgres"));
    for (repository, is_remote) in [
        (service.repository("postgres"), true),
        (file, true),
        (service.root("postgres"), false),
        (format!("{}/butler.yaml", service.root("postgres")), false),
    ] {
        let opened = butler::open(&repository, options(&nothing)).await.unwrap();
        assert_eq!(opened.remote().is_some(), is_remote, "{repository}");
        opened.close().await;
    }
    refusals(&service, &nothing).await;
    addresses(&service, &nothing).await;
}

async fn labels(service: &Service, environment: &Environment) {
    let remote = butler::open("remote", options(environment)).await.unwrap();
    let direct = butler::open("direct", options(environment)).await.unwrap();
    assert!(remote.remote().is_some() && direct.direct().is_some());
    for repository in [&remote, &direct] {
        assert!(repository.registry().dataset_type("bias").await.is_ok());
    }
    direct.close().await;
    let factory = LabeledButlerFactory::new().environment(environment.clone());
    let bound = factory.bind(Some("a token"));
    for label in ["remote", "direct", "remote"] {
        let opened = bound.create(label).await.unwrap();
        assert!(opened.registry().dataset_type("bias").await.is_ok());
    }
    // The reference's server wants to know who asks, ours has been told to let everybody in.
    match factory.create("remote", None).await {
        Ok(opened) => assert!(opened.registry().dataset_type("bias").await.is_ok()),
        Err(error) => assert!(error.to_string().contains("access token"), "{error}"),
    }
    let error = factory.create("nowhere", None).await.unwrap_err();
    assert!(matches!(error, Error::InvalidArgument(_)), "{error:?}");
    assert!(!factory.knows(&service.root("sqlite")).await.unwrap());
    factory.close().await;
}

async fn refusals(service: &Service, environment: &Environment) {
    let repository = service.repository("sqlite");
    let writeable = options(environment).writeable();
    let error = butler::open(&repository, writeable).await.unwrap_err();
    assert!(matches!(error, Error::ReadOnly(_)), "{error:?}");
    // The reference's server wants to know who asks, ours has been told to let everybody in.
    let without_token = options(&Environment::fixed(service.s3.environment()));
    if let Err(error) = butler::open(&repository, without_token).await {
        assert!(
            error.to_string().contains("BUTLER_RUBIN_ACCESS_TOKEN"),
            "{error:?}"
        );
    }
    let nowhere = format!("{}/nothing/here.yaml", service.repository("sqlite"));
    let error = butler::open(&nowhere, options(environment))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::FileNotFound(_)), "{error:?}");
}

async fn addresses(service: &Service, environment: &Environment) {
    let place = service.root("sqlite");
    let direct = butler::open(&place, options(environment)).await.unwrap();
    let chain = ["chain".to_owned()];
    let found = direct
        .registry()
        .associations("bias", &chain)
        .await
        .unwrap();
    let dataset = &found[0].dataset;
    direct.close().await;
    let resolved = |(repository, dataset): (Repository, Option<butler::DatasetRef>)| async move {
        repository.close().await;
        dataset
    };
    for (id, there) in [(dataset.id(), true), (Uuid::nil(), false)] {
        let repository = service.repository("sqlite").replace(':', "%3A");
        for uri in [
            format!("ivo://org.rubinobs/usdac/dr1?repo={repository}&id={id}"),
            format!("ivo://any?id={id}&repo={place}"),
        ] {
            let opened = butler::open_dataset_uri(&uri, options(environment))
                .await
                .unwrap();
            let expected = there.then_some(dataset);
            assert_eq!(resolved(opened).await.as_ref(), expected, "{uri}");
        }
        let factory = LabeledButlerFactory::of([("here", service.repository("sqlite"))]);
        let bound = factory.bind(Some("a token"));
        let uri = format!("butler://here/{id}");
        let opened = bound.open_dataset_uri(&uri).await.unwrap();
        assert_eq!(resolved(opened).await.is_some(), there);
        let elsewhere = format!("ivo://any?id={id}&repo={place}");
        assert!(bound.open_dataset_uri(&elsewhere).await.is_err());
    }
}
