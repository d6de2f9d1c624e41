//! What the databases' errors mean to the flow.

use crate::ports::StoreError;

/// Sorts an error: away (try later), somebody was faster, or broken.
pub(super) fn sort(error: sqlx::Error) -> StoreError {
    match &error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => StoreError::Away(error.to_string()),
        sqlx::Error::Database(database) => {
            let code = database.code().unwrap_or_default();
            match code.parse::<i64>() {
                // SQLite, with its extended codes: the same new key twice; busy, locked, out of space, failing or missing
                // disk, interrupted, protocol.
                Ok(1555 | 2067) => StoreError::Conflict,
                Ok(code) if code < 10_000 && [5, 6, 8, 9, 10, 13, 14, 15].contains(&(code & 0xff)) => {
                    StoreError::Away(error.to_string())
                }
                // PostgreSQL. Two writers at once: serialisation failure, deadlock, the same new key.
                _ if ["40001", "40P01", "23505"].contains(&code.as_ref()) => StoreError::Conflict,
                // Connection lost (08), read-only or broken transaction (25), out of resources (53), not in the right
                // state (55), shutting down or starting (57), failing disk (58, XX), wrong password (28), no such
                // database (3D).
                _ if ["08", "25", "53", "55", "57", "58", "XX", "28", "3D"]
                    .iter()
                    .any(|class| code.starts_with(class)) =>
                {
                    StoreError::Away(error.to_string())
                }
                _ => StoreError::Broken(error.to_string()),
            }
        }
        _ => StoreError::Broken(error.to_string()),
    }
}

/// A failed migration: away, or a database of another version.
pub(super) fn migration(error: sqlx::migrate::MigrateError) -> StoreError {
    match error {
        sqlx::migrate::MigrateError::Execute(error) => sort(error),
        other => StoreError::Broken(other.to_string()),
    }
}
