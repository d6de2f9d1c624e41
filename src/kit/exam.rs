//! Plays a partner against a server, from invite to the agreement's end, and notes which points of the protocol it keeps.
//!
//! What implementations differ in is examined dialect by dialect: the gem that Zendesk uses, the node client, Request Tracker.

use std::{io, time::Duration};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{Method as Asked, StatusCode, Uri},
};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::watch};

use super::{
    name,
    paper::{Paper, Point, Verdict},
    sent::Request,
    sheet::{Sheet, Wanted},
};

/// How often it is looked whether a server has seen that its yes was taken, and how long it is waited in between.
const LOOKS: usize = 100;
const BETWEEN: Duration = Duration::from_millis(100);

/// What is examined, and how.
#[derive(Clone, Debug)]
pub struct Exam {
    /// The sharing URL.
    pub url: String,
    /// Where the server reaches the examiner; by default the listener's address.
    pub own_url: Option<String>,
    /// How long somebody over there may take to accept the invite.
    pub patience: Duration,
}

/// Examines a server; each point is told as it is found.
///
/// # Errors
/// The server cannot be reached at all, or nobody accepts the invite in time.
pub async fn examine(
    exam: &Exam,
    listener: TcpListener,
    told: &(dyn Fn(&Point) + Send + Sync),
) -> io::Result<Paper> {
    let at = listener.local_addr()?;
    let own = exam.own_url.clone().unwrap_or_else(|| format!("http://{at}/sharing"));
    let (agreement, key, base) = (name()?, name()?, exam.url.trim_end_matches('/'));
    let (accepted, mut yes) = watch::channel(false);
    let inbox = Inbox { path: format!("/agreements/{agreement}"), accepted };
    let router = Router::new().fallback(hear).with_state(inbox);
    let hearing = tokio::spawn(async move { axum::serve(listener, router).await });
    let mut sheet = Sheet::new(base, format!("{agreement}:{key}"), told)?;
    let path = format!("agreements/{agreement}");
    let body = json!({"uuid": agreement, "name": "crossdesk partner-test", "sender_url": own, "receiver_url": base,
        "access_key": key, "status": "pending", "deactivated_by": null, "sync_tags": true, "sync_custom_fields": true,
        "allows_public_comments": true, "current_actor": {"uuid": name()?, "name": "Examiner", "role": "agent"}});
    invite(&mut sheet, &path, &body).await?;
    pending(&mut sheet, &path, &yes).await?;
    if tokio::time::timeout(exam.patience, yes.wait_for(|yes| *yes)).await.is_err() {
        let waited = exam.patience.as_secs();
        let why = format!(
            "nobody has accepted the invite within {waited} s: accept it over there, or give --wait more seconds"
        );
        return Err(io::Error::other(why));
    }
    let wanted = "an invite is accepted by PUT of its status to the sender's URL, with the token";
    sheet.note("all", wanted, Verdict::Kept, "accepted".to_owned());
    settled(&sheet, &path).await?;
    let ticket = share(&mut sheet, &agreement).await?;
    dialects(&mut sheet, &ticket).await?;
    end(&mut sheet, &path, &ticket).await?;
    hearing.abort();
    Ok(sheet.paper)
}

/// What the server says to the examiner.
#[derive(Clone, Debug)]
struct Inbox {
    path: String,
    accepted: watch::Sender<bool>,
}

async fn hear(State(inbox): State<Inbox>, method: Asked, uri: Uri, body: Bytes) -> StatusCode {
    let said: Value = serde_json::from_slice(&body).unwrap_or_default();
    let ours = uri.path().trim_end_matches('/').ends_with(&inbox.path);
    if method == Asked::PUT && ours && said.get("status").and_then(Value::as_str) == Some("accepted") {
        inbox.accepted.send_replace(true);
    }
    if method == Asked::POST { StatusCode::CREATED } else { StatusCode::OK }
}

/// From the first word until somebody has to accept.
async fn invite(sheet: &mut Sheet<'_>, path: &str, body: &Value) -> io::Result<()> {
    let post = Request { token: None, version: false, ..sheet.ask(Method::POST, path, Some(body)) };
    let what = "an invite is taken without a token and without a version (POST agreements/U)";
    sheet.point("zendesk", what, post.clone(), Wanted::Done).await?;
    sheet
        .point("all", "the same invite again is taken once more, or is 422", post, Wanted::DoneOr(422))
        .await?;
    let get = sheet.ask(Method::GET, path, None);
    let nobody = Request { token: None, ..get.clone() };
    let said =
        sheet.point("all", "a request without a token is 401", nobody, Wanted::Refused(&[401])).await?;
    let named = said.challenge.as_deref() == Some("X-Ticket-Sharing");
    let verdict = if named { Verdict::Kept } else { Verdict::Lacking };
    let shown = said.challenge.unwrap_or_else(|| "no such header".to_owned());
    sheet.note("request_tracker", "401 names the way: WWW-Authenticate: X-Ticket-Sharing", verdict, shown);
    let uuid = path.trim_start_matches("agreements/");
    let stranger = Request { token: Some(format!("{uuid}:{}", "0".repeat(40))), ..get.clone() };
    sheet.point("all", "a wrong key is refused", stranger, Wanted::Refused(&[401, 403])).await?;
    sheet.point("all", "an agreement can be read (GET agreements/U)", get, Wanted::DoneOr(405)).await?;
    let torn = Request { body: Some("{\"status\":".to_owned()), ..sheet.ask(Method::PUT, path, None) };
    sheet.point("all", "an agreement that is no JSON is refused", torn, Wanted::Refused(&[422])).await?;
    Ok(())
}

/// What may not be done before somebody has accepted; of one that has accepted meanwhile it cannot be seen.
async fn pending(sheet: &mut Sheet<'_>, path: &str, yes: &watch::Receiver<bool>) -> io::Result<()> {
    let own = sheet.ask(Method::PUT, path, Some(&json!({"status": "accepted"})));
    let ticket = format!("tickets/{}", name()?);
    let early = sheet.ask(Method::POST, &ticket, Some(&new_ticket(&ticket)?));
    for (what, request) in [
        ("whoever invited cannot accept for the other side", own),
        ("no ticket is taken before the invite is accepted", early),
    ] {
        let said = sheet.answer(what, request).await?;
        if !*yes.borrow() {
            sheet.judge("all", what, &said, Wanted::Refused(&[403, 422]));
        }
    }
    Ok(())
}

/// Waits until the server has seen that its yes was taken; of one that cannot be asked, it is assumed.
async fn settled(sheet: &Sheet<'_>, path: &str) -> io::Result<()> {
    for _ in 0..LOOKS {
        let said =
            sheet.answer("the agreement, after it was accepted", sheet.ask(Method::GET, path, None)).await?;
        let shown: Value = serde_json::from_str(&said.text).unwrap_or_default();
        if shown.get("status").and_then(Value::as_str) != Some("pending") {
            return Ok(());
        }
        tokio::time::sleep(BETWEEN).await;
    }
    Ok(())
}

/// A ticket as all of them send it.
fn new_ticket(path: &str) -> io::Result<Value> {
    let (requester, comment) = (name()?, name()?);
    Ok(
        json!({"uuid": path.trim_start_matches("tickets/"), "subject": "Examination", "status": "open", "original_id": "1",
        "requested_at": "2026-01-05 09:00:00 +0000", "requester": {"uuid": requester, "name": "Joe User", "role": "end-user"},
        "tags": ["examined"], "custom_fields": {"Examined": "yes"},
        "comments": [{"uuid": comment, "author": {"uuid": requester, "name": "Joe User", "role": "end-user"}, "body": "First.",
            "authored_at": "2026-01-05 09:00:00 +0000", "public": true, "attachments": []}]}),
    )
}

/// What all tickets go through; returns the ticket's path.
async fn share(sheet: &mut Sheet<'_>, agreement: &str) -> io::Result<String> {
    let path = format!("tickets/{}", name()?);
    let body = new_ticket(&path)?;
    let post = sheet.ask(Method::POST, &path, Some(&body));
    sheet.point("all", "a ticket is taken (POST tickets/U)", post.clone(), Wanted::Done).await?;
    let what = "the same ticket again is no second one: taken, or 422";
    sheet.point("all", what, post.clone(), Wanted::DoneOr(422)).await?;
    let nobody = Request { token: None, ..post.clone() };
    sheet.point("all", "a ticket without a token is 401", nobody, Wanted::Refused(&[401])).await?;
    let stranger = Request { token: Some(format!("{agreement}:{}", "0".repeat(40))), ..post };
    sheet
        .point("all", "a ticket with a wrong key is refused", stranger, Wanted::Refused(&[401, 403]))
        .await?;
    sheet
        .point(
            "all",
            "a ticket can be read (GET tickets/U)",
            sheet.ask(Method::GET, &path, None),
            Wanted::DoneOr(405),
        )
        .await?;
    let solved = sheet.ask(Method::PUT, &path, Some(&json!({"status": "solved"})));
    sheet.point("all", "an update with nothing but a status (PUT tickets/U)", solved, Wanted::Done).await?;
    let comments = json!({"comments": body.get("comments")});
    let again = sheet.ask(Method::PUT, &path, Some(&comments));
    sheet.point("all", "comments that are repeated, known by their uuids", again, Wanted::Done).await?;
    let mismatch = sheet.ask(Method::PUT, &path, Some(&json!({"uuid": name()?, "status": "open"})));
    let what = "a body about another ticket than the address is refused";
    sheet.point("all", what, mismatch, Wanted::Refused(&[422, 404])).await?;
    let unknown = sheet.ask(Method::PUT, &format!("tickets/{}", name()?), Some(&json!({"status": "open"})));
    sheet
        .point("all", "an update of an unknown ticket is 404", unknown, Wanted::Refused(&[404, 410]))
        .await?;
    let torn = Request { body: Some("{\"status\":".to_owned()), ..sheet.ask(Method::PUT, &path, None) };
    sheet.point("all", "a ticket that is no JSON is refused", torn, Wanted::Refused(&[422])).await?;
    Ok(path)
}

/// What the implementations in the world differ in.
async fn dialects(sheet: &mut Sheet<'_>, path: &str) -> io::Result<()> {
    let put = |sheet: &Sheet<'_>, body: Value| sheet.ask(Method::PUT, path, Some(&body));
    let nulls = put(
        sheet,
        json!({"uuid": null, "subject": null, "requested_at": null, "status": "open", "requester": null,
        "current_actor": {"uuid": name()?, "name": "Ann", "role": "agent"}, "comments": [], "tags": null, "original_id": null,
        "custom_fields": null, "custom_status": null}),
    );
    let plain = Request { version: false, ..nulls };
    sheet
        .point(
            "zendesk",
            "all members on every update, null where unset, without a version",
            plain,
            Wanted::Done,
        )
        .await?;
    let html = put(
        sheet,
        json!({"comments": [{"uuid": name()?, "author": {"uuid": name()?, "name": "Ann", "role": "agent"},
        "body": "Bold.", "html_body": "<p><b>Bold.</b></p>", "authored_at": "2026-01-05 01:00:00 -0800", "public": false}]}),
    );
    sheet
        .point("zendesk", "a private comment with html_body and a date with a zone", html, Wanted::Done)
        .await?;
    let hold = put(sheet, json!({"status": "hold", "custom_status": "Waiting for lens"}));
    sheet
        .point("zendesk", "a status that not everybody has, and a custom one", hold, Wanted::DoneOr(422))
        .await?;
    let dates = put(
        sheet,
        json!({"comments": [{"uuid": name()?, "author": {"uuid": name()?, "name": "Ann"}, "body": "Milliseconds.",
        "authored_at": "2026-11-23T09:15:03.710Z", "public": true}]}),
    );
    let charset = Request { kind: Some("application/json; charset=utf-8"), ..dates };
    sheet.point("node", "JavaScript's dates, and a charset", charset, Wanted::Done).await?;
    let members = put(
        sheet,
        json!({"comments": [{"uuid": name()?, "author": {"uuid": name()?, "name": "Ann", "role": "agent"},
        "body": "Unmarked.", "attachments": null}], "surprise": {"of": ["any", "kind"]}}),
    );
    sheet
        .point("node", "a comment without public, attachments null, unknown members", members, Wanted::Done)
        .await?;
    let text =
        Request { kind: Some("text/x-json; charset=\"UTF-8\""), ..put(sheet, json!({"status": "pending"})) };
    sheet.point("request_tracker", "text/x-json with a charset in quotes", text, Wanted::Done).await?;
    let slash = sheet.ask(Method::PUT, &format!("{path}/"), Some(&json!({"status": "open"})));
    sheet.point("request_tracker", "a slash after the uuid", slash, Wanted::DoneOr(404)).await?;
    let fields = put(
        sheet,
        json!({"custom_fields": {"A": 1, "B": true, "C": ["x", "y"], "D": null, "E": {"deep": 1}}}),
    );
    sheet.point("all", "custom fields of any type", fields, Wanted::Done).await?;
    Ok(())
}

/// Unsharing, and the agreement's end.
async fn end(sheet: &mut Sheet<'_>, agreement: &str, ticket: &str) -> io::Result<()> {
    let delete = sheet.ask(Method::DELETE, ticket, None);
    let said =
        sheet.point("zendesk", "a share is ended (DELETE tickets/U)", delete, Wanted::DoneOr(405)).await?;
    if said.is_success() {
        let late = sheet.ask(Method::PUT, ticket, Some(&json!({"status": "solved"})));
        sheet
            .point("all", "a ticket that is unshared takes nothing", late, Wanted::Refused(&[404, 410, 422]))
            .await?;
    }
    let over = Request {
        kind: Some("text/x-json"),
        ..sheet.ask(
            Method::PUT,
            agreement,
            Some(&json!({"status": "inactive",
        "deactivated_by": "sender"})),
        )
    };
    sheet
        .point("request_tracker", "an agreement is ended by nothing but its status", over, Wanted::Done)
        .await?;
    let path = format!("tickets/{}", name()?);
    let late = sheet.ask(Method::POST, &path, Some(&new_ticket(&path)?));
    sheet
        .point(
            "all",
            "no ticket is taken after the agreement has ended",
            late,
            Wanted::Refused(&[401, 403, 404, 410, 422]),
        )
        .await?;
    let again = sheet.ask(Method::PUT, agreement, Some(&json!({"status": "accepted"})));
    sheet
        .point(
            "all",
            "an agreement that has ended is not brought back",
            again,
            Wanted::Refused(&[401, 403, 404, 410, 422]),
        )
        .await?;
    Ok(())
}
