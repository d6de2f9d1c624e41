//! Inviting a partner: what it is, where it is, and what shall cross.

use askama::Template;
use axum::{Extension, Router, extract::State, response::Response, routing::get};

use super::{
    form::Sent,
    session::{self, Session},
    shell::{Shell, go},
};
use crate::{
    domain::{CommentTerms, Kind, Terms},
    http::{
        Shared,
        inviting::{InviteForm, make},
        jira_form::JiraForm,
        problem::Problem,
    },
};

pub(super) fn routes() -> Router<Shared> {
    Router::new().route("/agreements/new", get(ask).post(invite))
}

#[derive(Template)]
#[template(config = ".askama.toml", path = "invite.html")]
struct InvitePage {
    shell: Shell,
    /// What was wrong with what stands here.
    wrong: String,
    form: Filled,
}

/// The form as it is filled in.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a box of the form")]
struct Filled {
    kind: String,
    name: String,
    address: String,
    project: String,
    issue_type: String,
    email: String,
    private_only: bool,
    sync_tags: bool,
    sync_custom_fields: bool,
    priority: bool,
}

impl Filled {
    /// As it was sent. A token is not shown again.
    fn of(sent: &Sent) -> Self {
        let text = |name| sent.text(name).to_owned();
        Self {
            kind: text("kind"),
            name: text("name"),
            address: text("address"),
            project: text("project"),
            issue_type: text("issue_type"),
            email: text("email"),
            private_only: sent.text("comments") == "private_only",
            sync_tags: sent.ticked("sync_tags"),
            sync_custom_fields: sent.ticked("sync_custom_fields"),
            priority: sent.ticked("priority"),
        }
    }
}

#[derive(Template)]
#[template(config = ".askama.toml", path = "invited.html")]
struct InvitedPage {
    shell: Shell,
    uuid: String,
    name: String,
    /// What has to be given to somebody by hand, and shows once.
    secret: String,
    is_jira: bool,
    queue: String,
    hook: String,
}

async fn ask(
    State(context): State<Shared>,
    Extension(session): Extension<Session>,
) -> Result<Response, Problem> {
    let shell = Shell::of(&context, &session, "agreements").await?;
    let kind = "third_party".to_owned();
    let form = Filled { kind, sync_tags: true, sync_custom_fields: true, ..Filled::default() };
    Ok(session::drawn(&InvitePage { shell, wrong: String::new(), form }))
}

async fn invite(State(context): State<Shared>, sent: Sent) -> Result<Response, Problem> {
    let form = match read(&sent) {
        Ok(form) => make(&context, form).await,
        Err(wrong) => Err(Problem::unusable(wrong)),
    };
    let (agreement, key) = match form {
        Ok(made) => made,
        Err(problem) => return again(&context, &sent, &problem).await,
    };
    let secret = crate::http::inviting::secret(&agreement, &key);
    let Some((_, secret)) = secret else {
        let said = format!("{} is invited; the agreement waits for its answer.", agreement.name);
        return Ok(go(&context, &sent.session, &format!("/agreements/{}", agreement.uuid), said));
    };
    let base = context.options.desk.sharing_url.trim_end_matches("/sharing");
    let page = InvitedPage {
        shell: Shell::of(&context, &sent.session, "agreements").await?,
        uuid: agreement.uuid.to_string(),
        name: agreement.name.clone(),
        secret,
        is_jira: agreement.kind == Kind::Jira,
        queue: format!("crossdesk.partner.{}", agreement.uuid),
        hook: format!("{base}/hooks/jira/{}", agreement.uuid),
    };
    Ok(session::drawn(&page))
}

/// The form as the API has it.
fn read(sent: &Sent) -> Result<InviteForm, String> {
    let kind = match sent.text("kind") {
        "zendesk" => Kind::Zendesk,
        "jira" => Kind::Jira,
        "third_party" => Kind::ThirdParty,
        "queue" => Kind::Queue,
        _ => return Err("choose what the partner is".to_owned()),
    };
    let comments = match sent.text("comments") {
        "private_only" => CommentTerms::PrivateOnly,
        _ => CommentTerms::PublicAndPrivate,
    };
    let terms = Terms {
        comments,
        sync_tags: sent.ticked("sync_tags"),
        sync_custom_fields: sent.ticked("sync_custom_fields"),
        priority: sent.ticked("priority"),
        ..Terms::default()
    };
    let jira = JiraForm::of(
        sent.given("project"),
        sent.given("issue_type"),
        sent.given("email"),
        sent.given("token"),
    );
    Ok(InviteForm {
        kind,
        url: sent.given("address").filter(|_| kind != Kind::Queue),
        name: sent.given("name"),
        terms,
        by: sent.session.person.clone(),
        jira: Some(jira).filter(|_| kind == Kind::Jira),
        ..InviteForm::of(kind)
    })
}

/// The form once more, as it was filled in, with what is wrong.
async fn again(context: &Shared, sent: &Sent, problem: &Problem) -> Result<Response, Problem> {
    let shell = Shell::of(context, &sent.session, "agreements").await?;
    let page = InvitePage { shell, wrong: problem.detail().to_owned(), form: Filled::of(sent) };
    let mut response = session::drawn(&page);
    *response.status_mut() = problem.status();
    Ok(response)
}
