//! One thing that did not sync, and why; kept when it is resolved.

use serde::{Deserialize, Serialize};

use super::{Timestamp, Uuid};

/// Why something did not sync, as a code that programs can rely on.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// This desk has no custom field of that title.
    UnknownField,
    /// The field here takes no value of that kind.
    IncompatibleType,
    /// The field here has no such option.
    UnknownOption,
    /// The agreement's terms do not let it cross.
    NotShared,
    /// The desk refused a command.
    CommandFailed,
    /// The partner refused a message.
    PartnerRefused,
    /// The partner fails on the ticket, again and again, while it takes others'.
    PartnerFails,
    /// Both sides changed it at once, and the sender's value won.
    Concurrent,
    /// The share could not begin.
    ShareRefused,
    /// The other side has no such status: it was told the nearest.
    NearestStatus,
    /// The ticket is closed, and takes nothing more.
    TicketClosed,
    /// The partner has something else than what was agreed, and nothing is on its way about it.
    Drift,
}

impl Reason {
    /// The code.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnknownField => "unknown_field",
            Self::IncompatibleType => "incompatible_type",
            Self::UnknownOption => "unknown_option",
            Self::NotShared => "not_shared",
            Self::CommandFailed => "command_failed",
            Self::PartnerRefused => "partner_refused",
            Self::PartnerFails => "partner_fails",
            Self::Concurrent => "concurrent",
            Self::ShareRefused => "share_refused",
            Self::NearestStatus => "nearest_status",
            Self::TicketClosed => "ticket_closed",
            Self::Drift => "drift",
        }
    }

    /// Those that the end of a share settles. What the desk could not do, what a closed ticket was told and a share that could not
    /// begin are still there for somebody to look at.
    pub const OF_SYNC: [Self; 9] = [
        Self::UnknownField,
        Self::IncompatibleType,
        Self::UnknownOption,
        Self::NotShared,
        Self::PartnerRefused,
        Self::PartnerFails,
        Self::Concurrent,
        Self::NearestStatus,
        Self::Drift,
    ];

    /// Whether the end of a share settles it.
    pub fn ends_with_share(self) -> bool {
        Self::OF_SYNC.contains(&self)
    }

    /// Reads the code.
    pub fn parse(code: &str) -> Option<Self> {
        [
            Self::UnknownField,
            Self::IncompatibleType,
            Self::UnknownOption,
            Self::NotShared,
            Self::CommandFailed,
            Self::PartnerRefused,
            Self::PartnerFails,
            Self::Concurrent,
            Self::ShareRefused,
            Self::NearestStatus,
            Self::TicketClosed,
            Self::Drift,
        ]
        .into_iter()
        .find(|reason| reason.as_str() == code)
    }
}

/// One thing of a ticket that did not sync under an agreement. There is one a subject; a newer one takes its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issue {
    /// The ticket.
    pub ticket: Uuid,
    /// The agreement.
    pub agreement: Uuid,
    /// Which part of the ticket: a property's name, `comment:<uuid>`, `ticket`, `share`, `fetch`, `delivery`;
    /// `drift:` and one of these where the two sides differ.
    pub subject: String,
    /// Why, as a code.
    pub reason: Reason,
    /// Why, in words.
    pub detail: String,
    /// Since when; for a resolved one, when it was last so.
    pub opened_at: Timestamp,
    /// Since when it is no longer so.
    pub resolved_at: Option<Timestamp>,
}
