//! What the flow needs of a mail server: one letter sent.

use std::fmt;

use async_trait::async_trait;

use crate::domain::Notice;

/// Sends letters to the desk's administrator.
#[async_trait]
pub trait Mailer: fmt::Debug + Send + Sync {
    /// Sends one; what went wrong is told without any secret.
    async fn send(&self, notice: &Notice) -> Result<(), String>;
}
