//! The admins' token: the configuration's, or one that is made at the first start and kept beside the store.

use std::{io::Write, os::unix::fs::OpenOptionsExt, path::PathBuf};

use anyhow::{Context, Result, anyhow};

use crate::{config::Config, domain::AccessKey};

/// Where a token that was made is kept: beside the SQLite file, or in the working folder.
pub fn token_path(config: &Config) -> PathBuf {
    let file = config.store.url.strip_prefix("sqlite:").map(|path| path.trim_start_matches("//"));
    let path = file.map(|path| PathBuf::from(path.split('?').next().unwrap_or_default())).unwrap_or_default();
    path.with_file_name("crossdesk-admin.token")
}

/// The token; made where there is none yet.
///
/// # Errors
/// The file cannot be read or written.
pub fn admin_token(config: &Config) -> Result<AccessKey> {
    if !config.admin.token.is_empty() {
        return Ok(AccessKey::new(config.admin.token.clone()));
    }
    let path = token_path(config);
    match std::fs::read_to_string(&path) {
        Ok(token) if !token.trim().is_empty() => return Ok(AccessKey::new(token.trim())),
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(anyhow!("the admin token in {} cannot be read: {error}", path.display()));
        }
        _ => {}
    }
    let mut bytes = [0; 20];
    getrandom::fill(&mut bytes).map_err(|error| anyhow!("the system gives no random numbers: {error}"))?;
    let token = hex::encode(bytes);
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&path)
        .with_context(|| format!("the admin token cannot be kept in {}", path.display()))?;
    // A file that was there already keeps its mode when it is opened.
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    file.set_permissions(mode).with_context(|| format!("{} cannot be made private", path.display()))?;
    file.write_all(token.as_bytes()).with_context(|| format!("{} cannot be written", path.display()))?;
    tracing::info!(file = %path.display(), "made the admin token");
    Ok(AccessKey::new(token))
}
