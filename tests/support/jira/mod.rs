//! A Jira: projects, issues, comments, transitions, properties and links as its REST API has them, on Cloud or Data Center. It
//! keeps what it is told, holds every request against its own description, and tells webhooks what people do in it.

mod contract;
mod people;
mod routes;
mod sharing;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex},
};

use axum::Router;
use serde_json::{Value, json};

pub(crate) use contract::Contract;
pub(crate) use sharing::{agreed, camera_desk, delivered, settled, shared};

/// The account that the daemon works with.
pub(crate) const ACCOUNT: &str = "5b10ac8d82e05b22cc7d4ef5";
/// Its e-mail address and API token, or personal access token.
pub(crate) const EMAIL: &str = "crossdesk@acme.example";
pub(crate) const TOKEN: &str = "jira-token-of-the-tests";

/// An issue.
#[derive(Clone, Debug, Default)]
pub(crate) struct Issue {
    pub(crate) id: String,
    pub(crate) key: String,
    pub(crate) fields: BTreeMap<String, Value>,
    pub(crate) status: String,
    pub(crate) properties: BTreeMap<String, Value>,
    pub(crate) links: Vec<Value>,
    pub(crate) comments: Vec<Value>,
}

impl Issue {
    /// The words of its comments, as people read them.
    pub(crate) fn said(&self) -> Vec<String> {
        self.comments.iter().map(|comment| crossdesk::wire::adf::to_text(&comment["body"])).collect()
    }

    /// A field's words.
    pub(crate) fn text(&self, field: &str) -> String {
        crossdesk::wire::adf::to_text(&self.fields[field])
    }
}

/// What a scripted answer does.
#[derive(Clone, Debug)]
pub(crate) enum Trick {
    /// Answers so, and does nothing.
    Refuse(u16, Vec<(&'static str, String)>, Value),
    /// Does it, and its answer is lost.
    Lose,
    /// The same, and so many comments of others come meanwhile.
    Bury(usize),
}

pub(crate) struct State {
    pub(crate) cloud: bool,
    pub(crate) service: bool,
    /// A Cloud that has taken the older search away.
    pub(crate) newest: bool,
    pub(crate) contract: Contract,
    pub(crate) issues: BTreeMap<String, Issue>,
    /// What was wrong with requests; there should be nothing.
    pub(crate) faults: Vec<String>,
    /// Requests, as `METHOD path`.
    pub(crate) requests: Vec<String>,
    /// For the next request whose method and path contain this: what happens instead.
    pub(crate) tricks: VecDeque<(String, Trick)>,
    pub(crate) token: String,
    /// Transitions by status: name and where it leads.
    pub(crate) workflow: BTreeMap<String, Vec<(&'static str, &'static str)>>,
    pub(crate) custom: Vec<(&'static str, &'static str, Value)>,
    /// Fields that are on no screen.
    pub(crate) hidden: Vec<String>,
    pub(crate) hook: Option<String>,
    pub(crate) clock: i64,
    next: u32,
}

/// A Jira.
#[derive(Clone)]
pub(crate) struct FakeJira {
    pub(crate) url: String,
    pub(crate) state: Arc<Mutex<State>>,
}

impl FakeJira {
    /// A Jira Cloud.
    pub(crate) async fn cloud() -> Self {
        Self::start(true).await
    }

    /// A Jira Data Center.
    pub(crate) async fn data_center() -> Self {
        Self::start(false).await
    }

    async fn start(cloud: bool) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let all = vec![("To work", "In Progress"), ("Close", "Done")];
        let workflow = BTreeMap::from([
            ("To Do".to_owned(), all.clone()),
            ("In Progress".to_owned(), vec![("Wait", "Waiting"), ("Close", "Done")]),
            ("Waiting".to_owned(), vec![("To work", "In Progress"), ("Close", "Done")]),
            ("Done".to_owned(), vec![("Reopen", "To Do")]),
        ]);
        let state = State {
            cloud,
            service: false,
            newest: false,
            contract: Contract::read(),
            issues: BTreeMap::new(),
            faults: Vec::new(),
            requests: Vec::new(),
            tricks: VecDeque::new(),
            token: TOKEN.to_owned(),
            workflow,
            custom: vec![
                ("customfield_10010", "Camera model", json!({"type": "option"})),
                ("customfield_10011", "Serial", json!({"type": "string"})),
                ("customfield_10012", "Story points", json!({"type": "number"})),
            ],
            hidden: Vec::new(),
            hook: None,
            clock: 1_767_225_600_000,
            next: 1,
        };
        let state = Arc::new(Mutex::new(state));
        let router = Router::new().fallback(routes::answer).with_state(state.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, state }
    }

    /// Looks at it, or changes it.
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().unwrap())
    }

    /// The next request of this kind ends so.
    pub(crate) fn trick(&self, request: &str, trick: Trick) {
        self.with(|state| state.tricks.push_back((request.to_owned(), trick)));
    }

    /// All issues, oldest first.
    pub(crate) fn issues(&self) -> Vec<Issue> {
        self.with(|state| state.issues.values().cloned().collect())
    }

    /// The one issue.
    pub(crate) fn issue(&self) -> Issue {
        let issues = self.issues();
        assert_eq!(issues.len(), 1, "{issues:?}");
        issues[0].clone()
    }

    /// Nothing that it was asked broke its own description.
    pub(crate) fn assert_in_contract(&self) {
        let faults = self.with(|state| state.faults.clone());
        assert!(faults.is_empty(), "{faults:#?}");
    }

    /// What an agreement with it needs to know.
    pub(crate) fn settings(&self) -> Value {
        let email = self.with(|state| state.cloud).then_some(EMAIL);
        json!({"project": "SUP", "issue_type": "Task", "email": email, "token": TOKEN, "webhook_secret": "hook-secret",
            "visibility": {"role": "Developers"}, "status": {"pending": "Waiting", "open": "To work"}})
    }
}

impl State {
    pub(crate) fn find(&mut self, name: &str) -> Option<&mut Issue> {
        self.issues.values_mut().find(|issue| issue.key == name || issue.id == name)
    }

    /// A new id, and a moment later than the last.
    pub(crate) fn fresh(&mut self) -> (u32, i64) {
        self.next += 1;
        self.clock += 1000;
        (self.next, self.clock)
    }

    /// A person, as either kind describes one.
    pub(crate) fn user(&self, id: &str, name: &str) -> Value {
        if self.cloud {
            json!({"accountId": id, "displayName": name, "accountType": "atlassian", "active": true})
        } else {
            json!({"name": id, "key": id, "displayName": name, "active": true})
        }
    }

    /// An issue's fields as they are shown.
    pub(crate) fn shown(issue: &Issue) -> Value {
        let mut fields: serde_json::Map<String, Value> = issue.fields.clone().into_iter().collect();
        fields.insert("status".to_owned(), status(&issue.status));
        fields.entry("labels".to_owned()).or_insert_with(|| json!([]));
        Value::Object(fields)
    }
}

/// A status as it is shown.
pub(crate) fn status(name: &str) -> Value {
    let category = match name {
        "Done" => "done",
        "To Do" => "new",
        _ => "indeterminate",
    };
    json!({"name": name, "id": name, "statusCategory": {"key": category}})
}

/// A moment, as Jira writes one now: the daemon asks for what is recent.
pub(crate) fn written_now() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    let at = crossdesk::domain::Timestamp::from_millis(i64::try_from(now).unwrap());
    crossdesk::wire::date::to_rfc3339(at)
}
