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
            match code.as_ref() {
                // SQLite: busy or locked, read-only moment, disk full or failing, cannot open. PostgreSQL: connection
                // lost (08), out of resources (53), shutting down or starting (57), wrong moment for a password (28).
                "5" | "6" | "261" | "517" | "13" | "10" | "14" => StoreError::Away(error.to_string()),
                code if ["08", "53", "57", "28", "3D"].iter().any(|class| code.starts_with(class)) => {
                    StoreError::Away(error.to_string())
                }
                // Two writers at once: serialisation failure, deadlock, the same new key.
                "40001" | "40P01" | "23505" | "1555" | "2067" => StoreError::Conflict,
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
