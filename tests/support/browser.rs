//! A person at a browser: Debian's Chromium, headless, driven as a person would use it.

use std::{path::PathBuf, sync::OnceLock};

use fantoccini::{Client, ClientBuilder, Locator};
use serde_json::{Value, json};

use super::{
    TestDaemon,
    servers::{self, Process},
    until,
};

/// How somebody looks at the pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    Light,
    Dark,
    Phone,
}

impl Look {
    fn name(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
            Self::Phone => "phone",
        }
    }
}

/// A browser that has a daemon's pages open.
pub(crate) struct Browser {
    client: Client,
    base: String,
    look: Look,
    _profile: tempfile::TempDir,
}

/// The one driver of the process; each browser is a session of its own.
fn driver() -> String {
    static DRIVER: OnceLock<u16> = OnceLock::new();
    let port = DRIVER.get_or_init(|| {
        let port = servers::free_port();
        Process::start("chromedriver", None, move |command| {
            command.args([format!("--port={port}").as_str(), "--silent"]);
        });
        servers::await_port(port, "chromedriver (apt-get install chromium chromium-driver)");
        port
    });
    format!("http://127.0.0.1:{port}")
}

impl Browser {
    /// Opens one, where nobody is signed in yet.
    pub(crate) async fn open(daemon: &TestDaemon, look: Look) -> Self {
        let profile = tempfile::tempdir().unwrap();
        let mut args = vec![
            "--headless=new".to_owned(),
            "--no-sandbox".to_owned(),
            "--disable-gpu".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            "--hide-scrollbars".to_owned(),
            "--window-size=1280,900".to_owned(),
            format!("--user-data-dir={}", profile.path().display()),
        ];
        if look == Look::Dark {
            args.push("--force-dark-mode".to_owned());
        }
        let mut options = json!({"args": args, "binary": "/usr/bin/chromium"});
        if look == Look::Phone {
            options["mobileEmulation"] =
                json!({"deviceMetrics": {"width": 390, "height": 844, "pixelRatio": 1.0}});
        }
        let Value::Object(capabilities) = json!({"goog:chromeOptions": options}) else { unreachable!() };
        let url = driver();
        let client = until("a browser opens", async || {
            ClientBuilder::rustls().unwrap().capabilities(capabilities.clone()).connect(&url).await.ok()
        })
        .await;
        let base = format!("http://{}", daemon.config.admin.listen);
        let this = Self { client, base, look, _profile: profile };
        this.go("/").await;
        this
    }

    /// Opens one and signs in.
    pub(crate) async fn signed_in(daemon: &TestDaemon, look: Look) -> Self {
        let this = Self::open(daemon, look).await;
        this.sign_in(&daemon.config.admin.token, "Anna").await;
        this.until_shows("Overview").await;
        this
    }

    pub(crate) async fn sign_in(&self, token: &str, person: &str) {
        self.fill("token", token).await;
        self.fill("person", person).await;
        self.press("Sign in").await;
    }

    /// Goes to an address of the site.
    pub(crate) async fn go(&self, path: &str) {
        self.client.goto(&format!("{}{path}", self.base)).await.unwrap();
    }

    /// Where it is.
    pub(crate) async fn path(&self) -> String {
        self.client.current_url().await.unwrap().path().to_owned()
    }

    /// Runs a script; its result.
    pub(crate) async fn script(&self, script: &str) -> Value {
        self.client.execute(script, Vec::new()).await.unwrap()
    }

    /// What a person reads on the page.
    pub(crate) async fn text(&self) -> String {
        let text = self.client.execute("return document.body.innerText", Vec::new()).await;
        text.ok().and_then(|text| text.as_str().map(str::to_owned)).unwrap_or_default()
    }

    /// Waits until the page shows words: it may load, or be drawn anew by itself.
    pub(crate) async fn until_shows(&self, words: &str) {
        let found =
            super::wait::within(super::wait::LIMIT, async || self.text().await.contains(words).then_some(()));
        let found = found.await.is_some();
        assert!(found, "the page never showed \"{words}\", but\n{}", self.text().await);
    }

    /// Presses a button, or follows a link, by what stands on it.
    pub(crate) async fn press(&self, words: &str) {
        let at = |test: String| {
            format!("//*[self::a or self::button or self::label][{test}][not(ancestor-or-self::*[@hidden])]")
        };
        let exact = at(format!("normalize-space(.) = \"{words}\""));
        let about = at(format!("contains(normalize-space(.), \"{words}\")"));
        until(&format!("\"{words}\" can be pressed"), async || {
            let found = match self.client.find(Locator::XPath(&exact)).await {
                Ok(found) => found,
                Err(_) => self.client.find(Locator::XPath(&about)).await.ok()?,
            };
            found.click().await.ok()
        })
        .await;
    }

    /// Writes into a field.
    pub(crate) async fn fill(&self, id: &str, words: &str) {
        let field =
            until(&format!("there is a field {id}"), async || self.client.find(Locator::Id(id)).await.ok())
                .await;
        field.clear().await.unwrap();
        field.send_keys(words).await.unwrap();
    }

    /// Chooses of a list, or ticks a box: by a CSS selector.
    pub(crate) async fn click(&self, selector: &str) {
        self.client.find(Locator::Css(selector)).await.unwrap().click().await.unwrap();
    }

    /// Says yes to what the page asks.
    pub(crate) async fn say_yes(&self) {
        until("the page asks", async || self.client.accept_alert().await.ok()).await;
    }

    /// Keeps a picture of the whole page for people to look at, and holds the page against what those need who cannot see it,
    /// or see it badly.
    pub(crate) async fn look_at(&self, name: &str) {
        let height = self.script("return document.documentElement.scrollHeight").await.as_u64().unwrap();
        if self.look != Look::Phone {
            self.client
                .set_window_size(1280, u32::try_from(height).unwrap().clamp(600, 4000) + 90)
                .await
                .unwrap();
        }
        let wide = self.script("return document.documentElement.scrollWidth > innerWidth").await;
        assert_eq!(wide, false, "{name} is wider than its window, {}", self.look.name());
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("pages");
        std::fs::create_dir_all(&folder).unwrap();
        let picture = self.client.screenshot().await.unwrap();
        std::fs::write(folder.join(format!("{name}-{}.png", self.look.name())), picture).unwrap();
        self.assert_accessible(name).await;
    }

    async fn assert_accessible(&self, name: &str) {
        let axe = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/pages/node_modules/axe-core/axe.min.js");
        let axe = std::fs::read_to_string(axe)
            .unwrap_or_else(|error| panic!("{axe}: {error}; tests/run fetches it (npm ci in tests/pages)"));
        self.client.execute(&axe, Vec::new()).await.unwrap();
        let run = "const done = arguments[arguments.length - 1]; axe.run().then(found => done(found.violations), error => done(String(error)))";
        let found = self.client.execute_async(run, Vec::new()).await.unwrap();
        let violations = found.as_array().unwrap_or_else(|| panic!("{name}: {found}"));
        let said: Vec<String> = violations
            .iter()
            .map(|one| {
                format!("{} ({}): {} {}", one["id"], one["impact"], one["help"], one["nodes"][0]["html"])
            })
            .collect();
        assert!(said.is_empty(), "{name}, {}: {said:#?}", self.look.name());
    }

    /// Closes it.
    pub(crate) async fn close(self) {
        self.client.close().await.unwrap();
    }
}
