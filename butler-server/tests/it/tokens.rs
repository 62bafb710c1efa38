//! Who may use a repository, as bearer tokens say.

use axum::routing::get as on_get;
use axum::{Json, Router};
use butler_server::settings::Options;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use crate::support::{Answer, Server, Site, get, in_repository, listen, with};

/// A key pair made for these tests: the secret half, and the public one as a JWKS.
const SECRET: &str = include_str!("keys/es256.pem");
const JWKS: &str = include_str!("keys/es256.jwks.json");

/// Another secret key.
const FOREIGN: &str = include_str!("keys/foreign.pem");

async fn guarded(site: &Site) -> Server {
    let keys: Value = serde_json::from_str(JWKS).unwrap();
    let service = Router::new().route("/keys", on_get(move || async { Json(keys) }));
    let address = listen(service).await;
    let options = Options {
        gafaelfawr_url: None,
        jwt_jwks_url: Some(format!("http://{address}/keys")),
        jwt_issuer: Some("https://issuer.example".to_owned()),
        jwt_audience: Some("butler".to_owned()),
        ..site.restricted()
    };
    Server::start(options.check().unwrap()).await
}

fn claims() -> Value {
    json!({
        "sub": "ada",
        "groups": ["g_users"],
        "iss": "https://issuer.example",
        "aud": "butler",
        "exp": 4_000_000_000_u64,
    })
}

fn signed(claims: &Value, secret: &str) -> String {
    let mut header = Header::new(Algorithm::ES256);
    header.kid = Some("test".to_owned());
    let key = EncodingKey::from_ec_pem(secret.as_bytes()).unwrap();
    encode(&header, claims, &key).unwrap()
}

async fn ask(server: &Server, token: &str) -> Answer {
    let request = get(&in_repository("v1/universe"));
    let value = format!("Bearer {token}");
    server.send(with(request, "authorization", &value)).await
}

#[tokio::test]
async fn a_valid_token_of_a_member_is_let_in() {
    let site = Site::sqlite().await;
    let server = guarded(&site).await;
    assert_eq!(ask(&server, &signed(&claims(), SECRET)).await.status, 200);
}

#[tokio::test]
async fn a_valid_token_of_somebody_else_is_forbidden() {
    let site = Site::sqlite().await;
    let server = guarded(&site).await;
    let mut claims = claims();
    claims["groups"] = json!(["g_others"]);
    assert_eq!(ask(&server, &signed(&claims, SECRET)).await.status, 403);
}

#[tokio::test]
async fn expired_foreign_and_forged_tokens_get_one_and_the_same_answer() {
    let site = Site::sqlite().await;
    let server = guarded(&site).await;
    let with = |key: &str, value: Value| {
        let mut claims = claims();
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(key)),
            value => claims[key] = value,
        }
        signed(&claims, SECRET)
    };
    let hmac = EncodingKey::from_secret(JWKS.as_bytes());
    let tokens = [
        with("exp", json!(1_000_000_000)),
        with("exp", Value::Null),
        with("iss", json!("https://elsewhere.example")),
        with("iss", Value::Null),
        with("aud", json!("another")),
        with("aud", Value::Null),
        with("sub", Value::Null),
        signed(&claims(), FOREIGN),
        // The public key, taken for a shared secret.
        encode(&Header::default(), &claims(), &hmac).unwrap(),
        "eyJhbGciOiJub25lIn0.e30.".to_owned(),
        "nonsense".to_owned(),
        String::new(),
    ];
    let first = ask(&server, &tokens[0]).await;
    assert_eq!(first.status, 401);
    assert_eq!(first.header("www-authenticate"), "Bearer");
    for token in &tokens {
        let answer = ask(&server, token).await;
        assert_eq!(
            (answer.status, answer.body),
            (first.status, first.body.clone())
        );
    }
}

#[tokio::test]
async fn a_missing_token_is_asked_for() {
    let site = Site::sqlite().await;
    let server = guarded(&site).await;
    let answer = server.get("v1/universe").await;
    assert_eq!(answer.status, 401);
    let detail = answer.any_json()["detail"].clone();
    assert!(detail.as_str().unwrap().contains("Authorization"));
}
