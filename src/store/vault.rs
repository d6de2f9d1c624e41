//! Access keys at rest: encrypted where the configuration gives a key for it.

use chacha20poly1305::{
    Key, KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};

use crate::{
    domain::{AccessKey, Uuid},
    ports::StoreError,
};

/// Length of a nonce; it is random, and stands before the sealed text.
const NONCE: usize = 24;

/// Seals and opens access keys: XChaCha20-Poly1305, bound to the agreement's uuid so that rows cannot be exchanged.
#[derive(Clone)]
pub(super) struct Vault(Option<XChaCha20Poly1305>);

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() { "Vault(…)" } else { "Vault(open)" })
    }
}

/// An access key as it stands in its row.
pub(super) struct Kept {
    pub text: String,
    pub sealed: bool,
}

impl Vault {
    /// A vault with this key, 64 hex digits; without one it keeps keys as they are.
    pub(super) fn new(key: Option<&str>) -> Result<Self, String> {
        let Some(key) = key else { return Ok(Self(None)) };
        let bytes = hex::decode(key).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        let bytes =
            bytes.ok_or_else(|| "must be 64 hex digits; make one with: openssl rand -hex 32".to_owned())?;
        Ok(Self(Some(XChaCha20Poly1305::new(&Key::from(bytes)))))
    }

    pub(super) fn seals(&self) -> bool {
        self.0.is_some()
    }

    pub(super) fn seal(&self, agreement: &Uuid, key: &AccessKey) -> Result<Kept, StoreError> {
        let Some(cipher) = &self.0 else { return Ok(Kept { text: key.reveal().to_owned(), sealed: false }) };
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce)
            .map_err(|error| StoreError::Away(format!("the system gives no random numbers: {error}")))?;
        let payload = Payload { msg: key.reveal().as_bytes(), aad: agreement.as_str().as_bytes() };
        let sealed = cipher.encrypt(&XNonce::from(nonce), payload).map_err(|_| broken(agreement))?;
        Ok(Kept { text: hex::encode([nonce.as_slice(), &sealed].concat()), sealed: true })
    }

    pub(super) fn open(&self, agreement: &Uuid, kept: &Kept) -> Result<AccessKey, StoreError> {
        if !kept.sealed {
            return Ok(AccessKey::new(kept.text.clone()));
        }
        let opened = || {
            let bytes = hex::decode(&kept.text).ok()?;
            let (nonce, sealed) = bytes.split_first_chunk::<NONCE>()?;
            let payload = Payload { msg: sealed, aad: agreement.as_str().as_bytes() };
            let key = self.0.as_ref()?.decrypt(&XNonce::from(*nonce), payload).ok()?;
            String::from_utf8(key).ok()
        };
        opened().map(AccessKey::new).ok_or_else(|| broken(agreement))
    }
}

fn broken(agreement: &Uuid) -> StoreError {
    StoreError::Broken(format!(
        "the access key of agreement {agreement} cannot be opened: store.key is missing, or is not the one that it was \
         encrypted with; give that one"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_opened_with_the_key_and_for_the_agreement_that_it_was_sealed_with_and_no_other() {
        let (vault, other) = (Vault::new(Some(&"1f".repeat(32))), Vault::new(Some(&"2f".repeat(32))));
        let (vault, other) = (vault.unwrap_or(Vault(None)), other.unwrap_or(Vault(None)));
        let (uuid, key) = (Uuid::new("a"), AccessKey::new("secret"));
        let Ok(kept) = vault.seal(&uuid, &key) else { unreachable!("it seals") };
        assert!(kept.sealed && !kept.text.contains("secret"));
        assert_eq!(vault.open(&uuid, &kept).ok(), Some(key));
        for refused in
            [other.open(&uuid, &kept), Vault(None).open(&uuid, &kept), vault.open(&Uuid::new("b"), &kept)]
        {
            assert!(refused.is_err_and(|error| error.to_string().contains("store.key")));
        }
        assert!(Vault::new(Some("short")).is_err());
    }
}
