//! What partners ask of us: who may, what it means, and the code that answers it (protocol: what a tolerant server must take).

use std::sync::atomic::Ordering;

use sha2::{Digest, Sha256};

use super::{
    gate::{Gate, Gates},
    request::{Collection, Reply, Request, away, is_uuid},
    token,
};
use crate::{
    domain::{AccessKey, Agreement, AgreementStatus, Direction, Uuid},
    engine::{Case, Refusal, incoming},
    flow::{
        change::{Change, Done, TicketAction},
        options::Options,
        pipeline::Pipeline,
    },
    ports::{Method, Scope},
    telemetry::{Span, Step, metric},
    wire::nhd,
};

/// How large an invite may be: anybody can send one.
const AGREEMENT: usize = 256 * 1024;

/// Answers partners. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Inbound {
    options: Options,
    pipeline: Pipeline,
    gate: Gate,
    gates: Gates,
}

/// A body that cannot be read is 422; a change of another object than the path names is 404, as Request Tracker has it.
fn unreadable(method: Method) -> impl Fn(crate::wire::Error) -> Refusal {
    move |error| {
        Refusal::new(if error.is_of_another && method == Method::Put { 404 } else { 422 }, error.reason)
    }
}

impl Inbound {
    /// Answers for a pipeline.
    pub fn new(options: Options, pipeline: Pipeline) -> Self {
        let gate = Gate::new(options.invites.per_minute, options.clock.now());
        let gates = Gates::new(options.limits.requests_per_minute);
        Self { options, pipeline, gate, gates }
    }

    /// Answers one request. What it changes is written before the answer is there.
    pub async fn handle(&self, request: Request) -> Reply {
        self.answered(request).await.1
    }

    /// The same, with the agreement under which it was asked, where it is one that is known.
    pub(super) async fn answered(&self, mut request: Request) -> (Option<Uuid>, Reply) {
        let step = if request.over_http { Step::Answered } else { Step::Taken };
        let mut span = Span::begin("partner request", step, request.trace.as_ref());
        span.set("crossdesk.object.uuid", &request.uuid);
        request.trace = span.place();
        let (agreement, result) = self.answer(&request).await;
        let reply = result.unwrap_or_else(Reply::from);
        metric::inbound(agreement.as_ref(), reply.status);
        span.set("crossdesk.agreement.uuid", agreement.as_ref().map_or("", Uuid::as_str));
        span.set("http.response.status_code", reply.status);
        if reply.status >= 500 {
            span.fail(&reply.body);
        }
        tracing::debug!(
            agreement.uuid = agreement.as_ref().map(Uuid::as_str), object.uuid = request.uuid, method = ?request.method,
            status = reply.status, "request of a partner"
        );
        (agreement, reply)
    }

    /// How large the body of a request may be: agreements are small, and anybody can send an invite.
    pub fn body_limit(collection: Collection, limit: usize) -> usize {
        if collection == Collection::Agreements { limit.min(AGREEMENT) } else { limit }
    }

    /// Whether somebody who shows this token is let in at all: asked before a large body is read.
    ///
    /// # Errors
    /// The answer for whoever is not.
    pub async fn admit(&self, token: Option<&str>) -> Result<(), Reply> {
        self.started().map_err(Reply::from)?;
        let uuid = token.and_then(|token| token.trim().split(':').next()).unwrap_or_default().to_owned();
        let (token, body) = (token.map(str::to_owned), Vec::new());
        let (method, collection) = (Method::Get, Collection::Agreements);
        let request =
            Request { method, collection, uuid, token, body, id: None, over_http: true, trace: None };
        token::authenticate(&self.options, &request).await.map(drop).map_err(Reply::from)
    }

    /// Before its declared agreements are applied, this desk would take partners for strangers.
    fn started(&self) -> Result<(), Refusal> {
        if self.options.started.load(Ordering::Acquire) {
            return Ok(());
        }
        Err(Refusal::new(503, "this desk is starting; try again"))
    }

    async fn answer(&self, request: &Request) -> (Option<Uuid>, Result<Reply, Refusal>) {
        if let Err(refusal) = self.started() {
            return (None, Err(refusal));
        }
        if !is_uuid(&request.uuid) {
            return (None, Err(Refusal::new(422, "the path holds no uuid")));
        }
        if request.collection == Collection::Agreements && request.body.len() > AGREEMENT {
            let reason = format!("an agreement is larger than {} KiB", AGREEMENT / 1024);
            return (None, Err(Refusal::new(422, reason)));
        }
        if request.body.len() > self.options.limits.body {
            let reason = format!("the body is larger than {} bytes", self.options.limits.body);
            return (None, Err(Refusal::new(422, reason)));
        }
        let uuid = Uuid::new(request.uuid.clone());
        if request.collection == Collection::Agreements && request.method == Method::Post {
            // Whoever has the key of an agreement was invited already, or has declared it as this side has: two desks that
            // are joined by queues alone, where no key is in any message.
            if request.token.is_some() {
                match token::authenticate(&self.options, request).await {
                    Ok(_) => return (Some(uuid), Ok(Reply { status: 200, body: "{}".to_owned() })),
                    Err(refusal) if refusal.status >= 500 => return (None, Err(refusal)),
                    Err(_) => {}
                }
            }
            return (None, self.invited(uuid, request).await);
        }
        let (agreement, key) = match token::authenticate(&self.options, request).await {
            Ok(who) => who,
            Err(refusal) => return (None, Err(refusal)),
        };
        let name = agreement.uuid.clone();
        if request.over_http && !self.gates.lets_in(&name, self.options.clock.now()) {
            let limit = self.options.limits.requests_per_minute;
            let reason =
                format!("more than {limit} requests a minute came under this agreement; try again later");
            return (Some(name), Err(Refusal::new(429, reason)));
        }
        let result = match request.collection {
            Collection::Agreements => self.agreement(agreement, &key, request).await,
            Collection::Tickets => self.ticket(agreement, uuid, request).await,
        };
        (Some(name), result)
    }

    async fn invited(&self, uuid: Uuid, request: &Request) -> Result<Reply, Refusal> {
        let told = nhd::read_agreement(&request.body).map_err(unreadable(request.method))?;
        let missing = |what: &str| Refusal::new(422, format!("{what} is missing"));
        let url = told.sender_url.as_deref().filter(|url| !url.is_empty());
        let url = url.ok_or_else(|| missing("sender_url, where the answer goes,"))?;
        self.options.partner.permits(url).map_err(|why| Refusal::new(422, format!("sender_url: {why}")))?;
        if told.access_key.as_ref().is_none_or(|key| key.reveal().is_empty()) {
            return Err(missing("access_key, the agreement's secret,"));
        }
        // Whoever asks whether an agreement is known has to send a whole invite for it, and not many.
        let now = self.options.clock.now();
        if !self.gate.lets_in(now) {
            return Err(Refusal::new(
                429,
                "more invites came than this desk takes in a minute; try again later",
            ));
        }
        if let Some(known) = self.options.store.access_keys(&uuid).await.map_err(away)? {
            // A repeated invite is fine, if it is the same one.
            if told
                .access_key
                .as_ref()
                .is_some_and(|given| token::same(given.reveal(), known.current.reveal()))
            {
                return Ok(Reply { status: 200, body: "{}".to_owned() });
            }
            return Err(Refusal::new(422, "an agreement of this uuid is known here already"));
        }
        let limits = &self.options.invites;
        let waiting = self.options.store.unanswered_invites(limits.waiting).await.map_err(away)?;
        if waiting >= limits.waiting {
            return Err(Refusal::new(429, "too many invites wait for this desk's answer; try again later"));
        }
        self.submit(Change::Invited { uuid, told: Box::new(told) }).await
    }

    async fn agreement(
        &self,
        agreement: Agreement,
        key: &AccessKey,
        request: &Request,
    ) -> Result<Reply, Refusal> {
        match request.method {
            Method::Get => {
                let snapshot = self.options.store.snapshot(&Scope::default()).await.map_err(away)?;
                let configured = self.options.live.catalogue();
                let fields = snapshot.catalogue.as_ref().unwrap_or(&configured);
                Ok(Reply { status: 200, body: nhd::agreement(&agreement, &self.options.desk, fields) })
            }
            Method::Put => {
                // Anybody can have an agreement that nobody has answered.
                let unanswered =
                    agreement.status == AgreementStatus::Pending && agreement.direction == Direction::Inbound;
                if unanswered && !self.gate.lets_in(self.options.clock.now()) {
                    return Err(Refusal::new(429, "an unanswered invite changes too often; try again later"));
                }
                let told = Box::new(nhd::read_agreement(&request.body).map_err(unreadable(request.method))?);
                let known_key = key.clone();
                self.submit(Change::Told { uuid: agreement.uuid, told, known_key }).await
            }
            Method::Post | Method::Delete => {
                Err(Refusal::new(405, "agreements are made, read and changed; PUT ends one"))
            }
        }
    }

    async fn ticket(&self, agreement: Agreement, uuid: Uuid, request: &Request) -> Result<Reply, Refusal> {
        incoming::in_force(&agreement)?;
        let unmarked = agreement.local.unmarked_comments;
        let read = || {
            let read =
                nhd::read_ticket(&request.body, &uuid, unmarked).map_err(unreadable(request.method))?;
            self.options.limits.admit(&read)?;
            Ok::<_, Refusal>(Box::new(nhd::cleaned(read)))
        };
        let action = match request.method {
            Method::Get => return self.read_ticket(&agreement, &uuid).await,
            Method::Post => TicketAction::Create(read()?),
            Method::Put => TicketAction::Update(read()?),
            Method::Delete => TicketAction::Unshare,
        };
        let trace = request.trace.clone();
        // Not by its id alone: some call all their messages alike.
        let said = |id: &String| {
            let body = hex::encode(Sha256::digest(&request.body));
            format!("inbound {} {id} {:?} {uuid} {body}", agreement.uuid, request.method)
        };
        let once = request.id.as_ref().map(said);
        let change = Change::Ticket { agreement: agreement.uuid, ticket: uuid, action, trace };
        // Who numbers its messages may begin anew with their ids, after its own store was set back.
        self.submit(match once.filter(|_| !numbered(&change)) {
            Some(key) => Change::Once(key, Box::new(change)),
            None => change,
        })
        .await
    }

    /// A shared ticket as this side last said it, with all its comments.
    async fn read_ticket(&self, agreement: &Agreement, uuid: &Uuid) -> Result<Reply, Refusal> {
        let scope = Scope { tickets: vec![uuid.clone()], ..Scope::default() };
        let snapshot = self.options.store.snapshot(&scope).await.map_err(away)?;
        let case = snapshot.cases.get(uuid).cloned().unwrap_or_else(|| Case::new(uuid.clone()));
        incoming::shared_under(&case, agreement)?;
        let comments = self.options.store.comments(uuid).await.map_err(away)?;
        let update = incoming::as_shared(&case, agreement, comments);
        Ok(Reply { status: 200, body: nhd::ticket(&update) })
    }

    async fn submit(&self, change: Change) -> Result<Reply, Refusal> {
        let Done { created, .. } = self.pipeline.submit_one(change).await?;
        Ok(Reply { status: if created { 201 } else { 200 }, body: "{}".to_owned() })
    }
}

/// Whether a change says which one it is of its share.
fn numbered(change: &Change) -> bool {
    let Change::Ticket { action: TicketAction::Create(update) | TicketAction::Update(update), .. } = change
    else {
        return false;
    };
    update.extra.as_ref().is_some_and(|extra| extra.seq.is_some())
}
