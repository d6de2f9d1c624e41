//! The [`Mailer`] over SMTP.

use async_trait::async_trait;
use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{Mailbox, header::ContentType},
};

use crate::{domain::Notice, ports::Mailer};

/// How long a mail server has for each step.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(20);

/// A mail server, and who writes to whom.
pub struct SmtpMailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    to: Mailbox,
    desk: String,
}

impl std::fmt::Debug for SmtpMailer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SmtpMailer(to {})", self.to)
    }
}

/// Reads an address such as `ops@desk.example` or `Ops <ops@desk.example>`.
///
/// # Errors
/// What is wrong with it.
pub fn check_address(address: &str) -> Result<(), String> {
    address.parse::<Mailbox>().map(drop).map_err(|error| format!("\"{address}\" is no mail address: {error}"))
}

/// Reads the URL of a mail server, `smtp://` or `smtps://USER:PASSWORD@HOST:PORT`.
///
/// # Errors
/// That it is none; its text, which may hold a password, is not repeated.
pub fn check_url(url: &str) -> Result<(), String> {
    transport(url).map(drop)
}

fn transport(url: &str) -> Result<AsyncSmtpTransport<Tokio1Executor>, String> {
    AsyncSmtpTransport::<Tokio1Executor>::from_url(url).map(|server| server.timeout(Some(PATIENCE)).build()).map_err(|_| {
        "must be smtps://USER:PASSWORD@HOST, smtp://USER:PASSWORD@HOST:587?tls=required, or smtp://HOST:25".to_owned()
    })
}

impl SmtpMailer {
    /// A mailer to one address, without touching the server yet.
    ///
    /// # Errors
    /// A URL or address that cannot be used.
    pub fn new(url: &str, from: &str, to: &str, desk: &str) -> Result<Self, String> {
        let mailbox =
            |address: &str| address.parse::<Mailbox>().map_err(|error| format!("{address}: {error}"));
        Ok(Self { transport: transport(url)?, from: mailbox(from)?, to: mailbox(to)?, desk: desk.to_owned() })
    }
}

#[async_trait]
impl Mailer for SmtpMailer {
    async fn send(&self, notice: &Notice) -> Result<(), String> {
        // What a partner calls itself stands in the text alone: a subject is a header.
        let subject = match notice.kind {
            "agreement_invited" => "a partner invites this desk to share tickets",
            "agreement_accepted" => "a sharing agreement is in force",
            "agreement_declined" => "a sharing agreement was declined",
            "agreement_deactivated" => "a sharing agreement has ended",
            other => other,
        };
        let mut body = format!("{}.\n", notice.text);
        if let Some(by) = &notice.by {
            body = format!("{body}\nBy: {by}\n");
        }
        if let Some((uuid, name)) = &notice.agreement {
            body = format!(
                "{body}Agreement: {name} ({uuid})\n\nLook at it with: crossdesk agreement show {uuid}\n"
            );
        }
        let letter = Message::builder()
            .from(self.from.clone())
            .to(self.to.clone())
            .subject(format!("[{}] {subject}", self.desk))
            .header(ContentType::TEXT_PLAIN)
            .body(body)
            .map_err(|error| error.to_string())?;
        self.transport.send(letter).await.map(drop).map_err(|error| error.to_string())
    }
}
