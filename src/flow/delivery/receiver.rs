//! Who is at the other end of a queue that a worker drains: a partner under an agreement, or the desk.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    attempt::{self, Tried},
    calling::Who,
    command,
};
use crate::{
    domain::{Message, Uuid},
    flow::{
        change::{AgreementAction, Change},
        options::Options,
        pipeline::Pipeline,
    },
    ports::{DeskHook, MessageFilter, Scope, Source, StoreError},
};

/// The other end of a queue.
#[derive(Clone, Debug)]
pub(super) enum Receiver {
    /// The partner of an agreement.
    Partner(Uuid),
    /// The desk, which is brought its commands.
    Desk(Arc<dyn DeskHook>),
}

/// The other end as it was when it was last looked at.
#[derive(Clone)]
pub(super) enum Present {
    /// A partner, with what opens its door.
    Partner(Arc<Who>),
    /// The desk.
    Desk(Arc<dyn DeskHook>),
}

/// How the other end is.
#[derive(Debug)]
pub(super) enum Health {
    /// It answers again.
    Answers,
    /// It fails, and why.
    Fails(String),
}

impl Receiver {
    /// Its queue.
    pub(super) fn source(&self) -> Source {
        match self {
            Self::Partner(agreement) => Source::Partner(agreement.clone()),
            Self::Desk(_) => Source::Commands,
        }
    }

    /// What was left for later, by an earlier process too. Nobody hands commands over again after a restart of an
    /// embedded broker, so of them it is all that wait.
    pub(super) fn left(&self) -> MessageFilter {
        match self {
            Self::Partner(agreement) => MessageFilter::Retrying(agreement.clone()),
            Self::Desk(_) => MessageFilter::Untaken,
        }
    }

    /// All that waits for it about these tickets or agreements.
    pub(super) fn waiting(&self, owners: BTreeSet<Uuid>) -> MessageFilter {
        let owners = owners.into_iter().collect();
        match self {
            Self::Partner(agreement) => MessageFilter::Waiting(agreement.clone(), owners),
            Self::Desk(_) => MessageFilter::UntakenOf(owners),
        }
    }

    /// Whether its row says of a partner that it is there. Of a desk nothing is kept.
    pub(super) async fn is_well(&self, options: &Options) -> Result<bool, StoreError> {
        let present = self.present(options).await?;
        Ok(present.is_some_and(|present| matches!(present, Present::Partner(_)) && !present.is_failing()))
    }

    /// How it is now; `None` where its agreement is gone.
    pub(super) async fn present(&self, options: &Options) -> Result<Option<Present>, StoreError> {
        let agreement = match self {
            Self::Desk(hook) => return Ok(Some(Present::Desk(hook.clone()))),
            Self::Partner(agreement) => agreement,
        };
        let scope = Scope { agreements: vec![agreement.to_string()], ..Scope::default() };
        // The keys first: a new one never goes to an address that was left meanwhile.
        let keys = options.store.access_keys(agreement).await?;
        let known = options.store.snapshot(&scope).await?.agreements.remove(agreement);
        Ok(known.map(|agreement| Present::Partner(Arc::new(Who { agreement, keys }))))
    }

    /// Notes how it is. Without the note it is found out again with the next attempt.
    pub(super) async fn note_health(&self, pipeline: &Pipeline, health: Health) {
        if let Self::Partner(agreement) = self {
            let failure = match health {
                Health::Fails(why) => Some(why),
                Health::Answers => None,
            };
            let health = Change::Agreement(agreement.clone(), AgreementAction::Health(failure));
            let _noted = pipeline.submit_one(health).await;
        }
    }
}

impl Present {
    /// Its row says that it fails.
    pub(super) fn is_failing(&self) -> bool {
        matches!(self, Self::Partner(who) if who.agreement.failing.is_some())
    }

    /// Tries a message.
    pub(super) async fn attempt(
        self,
        options: &Options,
        pipeline: &Pipeline,
        message: Message,
        fresh: bool,
    ) -> Tried {
        match self {
            Self::Partner(who) => attempt::make(options, pipeline, who, message, fresh).await,
            Self::Desk(hook) => command::bring(options, &*hook, message, fresh).await,
        }
    }
}
