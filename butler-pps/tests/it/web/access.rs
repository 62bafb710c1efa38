//! Who may look on, and who may give commands.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::filled::{Filled, Site, from_user, send};
use crate::observatory::Databases;

const COUNTS: &str = "/prompt-publication/api/counts";

fn pause() -> Value {
    json!({"action": "pause", "task": "to_main"})
}

/// A command that nothing is wrong with.
fn good(site: &Site) -> RequestBuilder {
    from_user(site.command(&pause(), "pause to_main"), "ada")
}

/// The status of the answer to a command, which must have done nothing if it is refused.
async fn refused(filled: &Filled, request: RequestBuilder) -> (u16, String) {
    let answer = send(request).await;
    assert!(
        !filled.state.task("to_main").await.unwrap().paused,
        "{answer:?}"
    );
    assert!(
        filled.state.audit_log(1).await.unwrap().is_empty(),
        "{answer:?}"
    );
    let detail = answer.json()["detail"].as_str().unwrap().to_owned();
    (answer.status, detail)
}

#[tokio::test]
async fn whoever_is_not_known_sees_nothing() {
    let filled = Filled::new(Databases::Sqlite).await;
    let site = filled.guarded(&[]).await;
    assert_eq!(site.get(COUNTS).await.status, 403);
    let stranger = from_user(site.request(Method::GET, COUNTS), "stranger");
    // Everybody whom the ingress knows may look on; it has checked the token.
    assert_eq!(send(stranger).await.status, 200);
    let (status, _) = refused(&filled, site.command(&pause(), "pause to_main")).await;
    assert_eq!(status, 403);
    let stranger = from_user(site.command(&pause(), "pause to_main"), "stranger");
    assert_eq!(refused(&filled, stranger).await.0, 401);
}

#[tokio::test]
async fn readers_can_be_named() {
    let filled = Filled::new(Databases::Sqlite).await;
    let site = filled.guarded(&["g_curators"]).await;
    for (user, status) in [("ada", 200), ("bob", 403), ("stranger", 401)] {
        let request = from_user(site.request(Method::GET, COUNTS), user);
        assert_eq!(send(request).await.status, status, "{user}");
    }
}

#[tokio::test]
async fn only_members_command_and_are_named_in_the_log() {
    for databases in Databases::BOTH {
        let filled = Filled::new(databases).await;
        let site = filled.guarded(&[]).await;
        let by_bob = from_user(site.command(&pause(), "pause to_main"), "bob");
        let (status, detail) = refused(&filled, by_bob).await;
        assert_eq!(status, 403);
        assert!(detail.contains("bob"), "{detail}");
        let user = |name| {
            from_user(
                site.request(Method::GET, "/prompt-publication/api/user"),
                name,
            )
        };
        assert_eq!(send(user("bob")).await.json()["may_command"], false);
        assert_eq!(send(user("ada")).await.json()["may_command"], true);

        let answer = send(good(&site)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(filled.state.task("to_main").await.unwrap().paused);
        let log = filled.state.audit_log(10).await.unwrap();
        assert_eq!((log.len(), log[0].who.as_str()), (1, "ada"));
        assert_eq!(
            (log[0].action.as_str(), log[0].outcome.as_str()),
            ("pause", "done")
        );
    }
}

#[tokio::test]
async fn a_command_has_to_be_confirmed_word_for_word() {
    let filled = Filled::new(Databases::Sqlite).await;
    let site = filled.guarded(&[]).await;
    for wrong in ["", "yes", "pause to_google_prod"] {
        let request = from_user(site.command(&pause(), wrong), "ada");
        let (status, detail) = refused(&filled, request).await;
        assert_eq!(status, 422);
        assert!(detail.contains("pause to_main"), "{detail}");
    }
    let without = site.request(Method::POST, "/prompt-publication/api/commands");
    let without = from_user(without.json(&json!({ "command": pause() })), "ada");
    assert_eq!(refused(&filled, without).await.0, 422);
}

#[tokio::test]
async fn pages_of_other_sites_cannot_command() {
    let filled = Filled::new(Databases::Sqlite).await;
    let site = filled.guarded(&[]).await;
    for (name, value) in [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        let (status, _) = refused(&filled, good(&site).header(name, value)).await;
        assert_eq!(status, 403, "{name}: {value}");
    }
    // What a form can send without asking is not JSON.
    let body = json!({ "command": pause(), "confirm": "pause to_main" }).to_string();
    let form = site
        .request(Method::POST, "/prompt-publication/api/commands")
        .body(body);
    let form = from_user(form.header("content-type", "text/plain"), "ada");
    assert_eq!(refused(&filled, form).await.0, 415);
    let own = site
        .page()
        .trim_end_matches("/prompt-publication/")
        .to_owned();
    assert_eq!(send(good(&site).header("origin", own)).await.status, 200);
}

#[tokio::test]
async fn there_are_no_such_commands() {
    let filled = Filled::new(Databases::Sqlite).await;
    let site = filled.guarded(&[]).await;
    for (command, confirm) in [
        (
            json!({"action": "pause", "task": "nonsense"}),
            "pause nonsense",
        ),
        (json!({"action": "explode"}), "explode"),
        (
            json!({"action": "pause", "task": "to_main", "more": 1}),
            "pause to_main",
        ),
        (
            json!({"action": "force_expire", "ids": []}),
            "force expire ",
        ),
    ] {
        let request = from_user(site.command(&command, confirm), "ada");
        assert_eq!(refused(&filled, request).await.0, 422, "{command}");
    }
}

#[tokio::test]
async fn the_page_needs_nothing_from_elsewhere() {
    let filled = Filled::new(Databases::Sqlite).await;
    let site = filled.open().await;
    let page = site.get("/prompt-publication/").await;
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("default-src 'none'"), "{policy}");
    assert!(
        !policy.contains("unsafe") && !policy.contains("http"),
        "{policy}"
    );
    let mut todo: Vec<String> = page
        .text
        .split('"')
        .filter_map(|part| part.strip_prefix("web/"))
        .map(str::to_owned)
        .collect();
    let mut seen = Vec::new();
    while let Some(name) = todo.pop() {
        if seen.contains(&name) {
            continue;
        }
        let file = site.get(&format!("/prompt-publication/web/{name}")).await;
        assert_eq!(file.status, 200, "{name}");
        assert_eq!(file.headers["x-content-type-options"], "nosniff", "{name}");
        let imported = file.text.split("from \"./").skip(1);
        todo.extend(
            imported
                .filter_map(|rest| rest.split('"').next())
                .map(str::to_owned),
        );
        seen.push(name);
    }
    assert_eq!(seen.len(), 11, "{seen:?}");
    assert_eq!(
        site.get("/prompt-publication/web/nothing.js").await.status,
        404
    );
    assert_eq!(site.get("/").await.text, page.text);
}
