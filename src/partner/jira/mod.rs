//! The [`Tracker`] of Jira's REST API: version 3 on Cloud, version 2 on Data Center.
//!
//! A task is several requests, and any of them may be the last that goes through. So every step first looks whether it was
//! done: an issue is found again by its link or its property, a comment by its property, a status by being there.

#![expect(clippy::indexing_slicing, reason = "a JSON value's index gives null where there is nothing")]

mod answer;
mod comments;
mod facts;
mod fields;
mod find;
mod issue;
mod look;
mod marks;
mod session;
mod transition;

use std::{sync::Mutex, time::Duration};

use async_trait::async_trait;
use reqwest::Client;

use super::{address::Allowed, client};
use crate::{
    domain::Carried,
    ports::{Errand, Looked, Setback, Task, Tracker},
};
use facts::Known;
use marks::Marks;
use session::{Resting, Session};

/// Brings tickets to Jira.
#[derive(Debug)]
pub struct JiraTracker {
    client: Client,
    allowed: Allowed,
    known: Known,
    resting: Resting,
    marks: Marks,
}

impl JiraTracker {
    /// One that gives every request this long.
    ///
    /// # Errors
    /// Where the system's certificates cannot be read.
    pub fn new(timeout: Duration, allowed: Allowed) -> Result<Self, String> {
        let client = client::build(timeout, allowed)?;
        Ok(Self {
            client,
            allowed,
            known: Known::default(),
            resting: Mutex::default(),
            marks: Marks::default(),
        })
    }

    fn session<'a>(&'a self, errand: &'a Errand) -> Result<Session<'a>, Setback> {
        self.allowed.check(&errand.base).map_err(Setback::Refused)?;
        let (client, resting, marks) = (&self.client, &self.resting, &self.marks);
        Ok(Session { client, resting, marks, errand })
    }

    async fn carry_out(&self, errand: &Errand, carried: &mut Carried) -> Result<(), Setback> {
        let session = self.session(errand)?;
        if matches!(errand.task, Task::Check) {
            facts::forget(&self.known, &session);
        }
        let facts = facts::known(&self.known, &session).await?;
        carried.account = Some(facts.account.clone());
        carried.service = Some(facts.service);
        let result = match &errand.task {
            Task::Check => look::must_do(&session, &facts),
            Task::Create(update) => issue::create(&session, &facts, update, carried).await,
            Task::Update(update) => issue::update(&session, &facts, update, carried).await,
            Task::Unshare => issue::unshare(&session, &facts).await,
        };
        if !carried.obstacles.is_empty() || result.is_err() {
            // Somebody may mend it over there: next time it is looked at anew.
            facts::forget(&self.known, &session);
        }
        result
    }
}

#[async_trait]
impl Tracker for JiraTracker {
    async fn carry(&self, errand: &Errand) -> (Carried, Result<(), Setback>) {
        let mut carried = Carried::default();
        let result = self.carry_out(errand, &mut carried).await;
        (carried, result)
    }

    async fn look(&self, errand: &Errand) -> Result<Looked, Setback> {
        let session = self.session(errand)?;
        facts::forget(&self.known, &session);
        let facts = facts::known(&self.known, &session).await?;
        look::look(&session, &facts).await
    }
}
