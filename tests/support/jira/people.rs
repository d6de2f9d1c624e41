//! What people do in the tests' Jira, and the webhooks that tell of it.

use serde_json::{Value, json};

use super::{FakeJira, Issue, State, status, written_now};

impl FakeJira {
    /// From now on it tells this address what happens.
    pub(crate) fn tell(&self, hook: &str) {
        self.with(|state| state.hook = Some(hook.to_owned()));
    }

    /// Somebody writes a comment; the webhook that tells of it.
    pub(crate) fn comment(&self, words: &str, visibility: Value) -> Value {
        self.with(|state| state.comment_of_kim(words, &visibility))
    }

    /// The webhook that tells of the comment that the daemon wrote last.
    pub(crate) fn our_comment(&self) -> Value {
        self.with(|state| {
            let (_, at) = state.fresh();
            let issue = state.issues.values().next().unwrap();
            let comment = issue.comments.iter().rfind(|comment| comment["properties"].is_array()).unwrap();
            json!({"timestamp": at, "webhookEvent": "comment_created", "comment": comment,
                "issue": {"id": issue.id, "key": issue.key, "fields": {}}})
        })
    }

    /// Somebody changes the issue; the webhook that tells of it.
    pub(crate) fn change(&self, who: &str, act: impl FnOnce(&mut Issue), items: Value) -> Value {
        self.with(|state| {
            let (_, at) = state.fresh();
            let id = state.issues.keys().next().unwrap().clone();
            act(state.issues.get_mut(&id).unwrap());
            state.updated(&id, who, at, items)
        })
    }

    /// Sends a webhook, as often as it likes; the status of the answer.
    pub(crate) async fn send(&self, webhook: &Value, id: &str) -> u16 {
        let hook = self.with(|state| state.hook.clone().unwrap());
        let request = reqwest::Client::new().post(hook).header("x-atlassian-webhook-identifier", id);
        let sent = request.header("content-type", "application/json").body(webhook.to_string()).send().await;
        sent.unwrap().status().as_u16()
    }
}

impl State {
    pub(crate) fn comment_of_kim(&mut self, words: &str, visibility: &Value) -> Value {
        let (number, at) = self.fresh();
        let author = self.user("u-kim", "Kim");
        let mut comment = json!({"id": number.to_string(), "author": author, "updateAuthor": author, "body": words,
            "created": written_now(), "updated": written_now()});
        if !visibility.is_null() {
            comment["visibility"] = visibility.clone();
        }
        let issue = self.issues.values_mut().next().unwrap();
        issue.comments.push(comment.clone());
        let issue = issue.clone();
        comment["self"] = json!(format!("http://jira/rest/api/2/issue/{}/comment/{number}", issue.id));
        if !self.cloud {
            // Data Center tells with a comment nothing but the comment.
            return json!({"timestamp": at, "webhookEvent": "comment_created", "comment": comment});
        }
        // Cloud shows few fields with a comment.
        let fields = json!({"summary": issue.fields["summary"], "status": status(&issue.status)});
        json!({"timestamp": at, "webhookEvent": "comment_created", "comment": comment,
            "issue": {"id": issue.id, "key": issue.key, "fields": fields}})
    }

    pub(crate) fn updated(&self, id: &str, who: &str, at: i64, items: Value) -> Value {
        let issue = &self.issues[id];
        json!({"timestamp": at, "webhookEvent": "jira:issue_updated", "issue_event_type_name": "issue_generic",
            "user": self.user(who, if who == "u-kim" { "Kim" } else { "Crossdesk" }),
            "issue": {"id": issue.id, "key": issue.key, "fields": Self::shown(issue)},
            "changelog": {"id": "1", "items": items}})
    }
}
