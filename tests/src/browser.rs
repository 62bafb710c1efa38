//! Chromium without a window, driven over WebDriver as a person would use it: keys, clicks, looking.

use reqwest::Client;
use serde_json::{Value, json};
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

use crate::ports::ReservedPort;
use crate::provided;

/// How long the browser may take for anything.
const PATIENCE: Duration = Duration::from_secs(120);

/// What the key of an element's identifier is in WebDriver.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Keys that are no characters.
pub mod keys {
    /// The tabulator.
    pub const TAB: &str = "\u{e004}";
    /// Enter.
    pub const ENTER: &str = "\u{e007}";
}

/// A browser with one window; ends when dropped.
#[derive(Debug)]
pub struct Browser {
    driver: Child,
    client: Client,
    session: String,
    /// Home, profile and downloads.
    directory: TempDir,
    _port: ReservedPort,
}

impl Browser {
    /// Starts it, with a window of this size, and with dark colors if they are preferred.
    ///
    /// # Panics
    /// When `BUTLER_TEST_CHROMEDRIVER` is not set, or the browser does not start.
    pub async fn start(width: u32, height: u32, dark: bool) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let port = ReservedPort::new();
        let log = File::create(directory.path().join("log")).expect("a directory takes a file");
        let driver = Command::new(provided("BUTLER_TEST_CHROMEDRIVER"))
            .arg(format!("--port={}", port.address().port()))
            .env("HOME", directory.path())
            .stdout(log.try_clone().expect("a file can be opened twice"))
            .stderr(log)
            .stdin(Stdio::null())
            .spawn()
            .expect("chromedriver starts");
        let mut browser = Self {
            driver,
            client: Client::builder()
                .no_proxy()
                .build()
                .expect("HTTP can be used"),
            session: format!("http://{}/session", port.address()),
            directory,
            _port: port,
        };
        browser.open_session(width, height).await;
        let scheme = if dark { "dark" } else { "light" };
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        let command =
            json!({ "cmd": "Emulation.setEmulatedMedia", "params": { "features": features } });
        browser.post("/goog/cdp/execute", &command).await;
        browser
    }

    async fn open_session(&mut self, width: u32, height: u32) {
        let profile = self.directory.path().join("profile");
        let arguments = [
            "--headless=new".to_owned(),
            "--no-sandbox".to_owned(),
            "--disable-gpu".to_owned(),
            "--disable-quic".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            "--no-first-run".to_owned(),
            "--disable-background-networking".to_owned(),
            "--disable-component-update".to_owned(),
            "--disable-sync".to_owned(),
            "--hide-scrollbars".to_owned(),
            format!("--window-size={width},{height}"),
            format!("--user-data-dir={}", profile.display()),
        ];
        let preferences = json!({
            "download.default_directory": self.downloads(),
            "download.prompt_for_download": false,
        });
        let capabilities = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": { "args": arguments, "prefs": preferences },
            "goog:loggingPrefs": { "browser": "ALL" },
        } } });
        let begin = Instant::now();
        // The driver needs a moment until it listens.
        let answer = loop {
            match self
                .client
                .post(&self.session)
                .json(&capabilities)
                .send()
                .await
            {
                Ok(answer) => break answer,
                Err(error) => assert!(begin.elapsed() < PATIENCE, "no chromedriver: {error}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        let answer: Value = answer.json().await.expect("chromedriver answers in JSON");
        let id = answer["value"]["sessionId"].as_str();
        let id = id.unwrap_or_else(|| panic!("no session: {answer}"));
        self.session = format!("{}/{id}", self.session);
    }

    async fn post(&self, path: &str, body: &Value) -> Value {
        let request = self
            .client
            .post(format!("{}{path}", self.session))
            .json(body);
        let answer = request.timeout(PATIENCE).send().await;
        let answer = answer.unwrap_or_else(|error| panic!("{path}: {error}"));
        let succeeded = answer.status().is_success();
        let answer: Value = answer.json().await.expect("chromedriver answers in JSON");
        assert!(succeeded, "{path} {body}: {answer}");
        answer["value"].clone()
    }

    /// Goes to an address, and waits until the page is loaded.
    ///
    /// # Panics
    /// When the browser fails.
    pub async fn open(&self, url: &str) {
        self.post("/url", &json!({ "url": url })).await;
    }

    /// What a JavaScript expression gives in the page; promises are waited for.
    ///
    /// # Panics
    /// When the expression fails.
    pub async fn value(&self, expression: &str) -> Value {
        let script = format!("return {expression};");
        self.post("/execute/sync", &json!({ "script": script, "args": [] }))
            .await
    }

    /// Waits until an expression gives something that is true in JavaScript, and returns it.
    ///
    /// # Panics
    /// When it takes too long.
    pub async fn wait_for(&self, expression: &str) -> Value {
        let begin = Instant::now();
        loop {
            let found = self.value(expression).await;
            let truthy = !matches!(&found, Value::Null | Value::Bool(false))
                && found != json!(0)
                && found != json!("");
            if truthy {
                return found;
            }
            if begin.elapsed() > PATIENCE {
                let text = self.value("document.body.innerText").await;
                panic!("waited in vain for {expression} on the page:\n{text}");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Clicks what a selector of CSS finds first.
    ///
    /// # Panics
    /// When there is no such element, or it cannot be clicked.
    pub async fn click(&self, selector: &str) {
        let wanted = json!({ "using": "css selector", "value": selector });
        let found = self.post("/element", &wanted).await;
        let element = found[ELEMENT]
            .as_str()
            .expect("an element has an identifier");
        self.post(&format!("/element/{element}/click"), &json!({}))
            .await;
    }

    /// Presses keys one after the other, wherever the focus is.
    ///
    /// # Panics
    /// When the browser fails.
    pub async fn press(&self, text: &str) {
        let actions: Vec<Value> = text
            .chars()
            .flat_map(|key| ["keyDown", "keyUp"].map(|kind| json!({ "type": kind, "value": key })))
            .collect();
        let keyboard = json!({ "type": "key", "id": "keyboard", "actions": actions });
        self.post("/actions", &json!({ "actions": [keyboard] }))
            .await;
    }

    /// What the page has complained about in the console.
    ///
    /// # Panics
    /// When the browser fails.
    pub async fn complaints(&self) -> Vec<String> {
        let log = self.post("/se/log", &json!({ "type": "browser" })).await;
        let entries = log.as_array().cloned().unwrap_or_default();
        let severe = entries.iter().filter(|entry| entry["level"] == "SEVERE");
        severe.map(|entry| entry["message"].to_string()).collect()
    }

    /// Keeps a picture of the window below Cargo's target directory, and returns where.
    ///
    /// # Panics
    /// When the browser fails, or the picture cannot be written.
    pub async fn picture(&self, name: &str) -> PathBuf {
        let answer = self
            .client
            .get(format!("{}/screenshot", self.session))
            .send()
            .await;
        let answer: Value = answer
            .expect("chromedriver answers")
            .json()
            .await
            .expect("chromedriver answers in JSON");
        let picture = answer["value"].as_str().expect("a picture is text");
        let picture = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, picture);
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/screenshots");
        fs::create_dir_all(&directory).expect("the target directory takes a directory");
        let path = directory.join(format!("{name}.png"));
        fs::write(&path, picture.expect("a picture is in base 64")).expect("it takes a file, too");
        path
    }

    /// Where the browser puts what it downloads.
    #[must_use]
    pub fn downloads(&self) -> PathBuf {
        self.directory.path().join("downloads")
    }
}

impl Browser {
    /// Ends Chromium, which would outlive its driver.
    fn end_session(&self) -> io::Result<()> {
        let place = self.session.trim_start_matches("http://");
        let (address, path) = place.split_once('/').unwrap_or((place, ""));
        let mut driver = TcpStream::connect(address)?;
        driver.set_read_timeout(Some(PATIENCE))?;
        write!(driver, "DELETE /{path} HTTP/1.1\r\nhost: {address}\r\n\r\n")?;
        // It answers when Chromium has ended, and keeps the connection whatever is asked for.
        driver.read(&mut [0]).map(drop)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // All of it fails only when what is to end has ended already.
        let _ = self.end_session();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
