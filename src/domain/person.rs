//! People: who asked, who wrote, who changed something.

use serde::{Deserialize, Serialize};

use super::{UserId, Uuid, Word};

/// What somebody is at the desk that they belong to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Works on tickets.
    Agent,
    /// Asks. What is not said to be an agent is one of these (protocol: actors).
    #[default]
    EndUser,
}

/// Somebody, as a desk or a partner names them. No e-mail address: it does not travel.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Person {
    /// The network's name for them.
    pub uuid: Uuid,
    /// The desk's id, where they are known to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<UserId>,
    /// What to call them.
    pub name: Word,
    /// Agent or end user.
    pub role: Role,
}

/// A person of a partner's, known here as a dummy user. Known under one agreement only: anybody can compute anybody's uuid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The agreement under which they came.
    pub agreement: Uuid,
    /// The partner's name for them.
    pub uuid: Uuid,
    /// The desk's id for the dummy, once it has said so.
    pub id: Option<UserId>,
    /// What to call them.
    pub name: Word,
    /// The role that the partner shows; on this desk a dummy is an end user always.
    pub role: Role,
}
