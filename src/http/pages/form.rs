//! What a form sends.

use axum::{
    body::{Bytes, HttpBody},
    extract::{FromRequest, Request},
};

use super::session::{self, Session};
use crate::http::{Shared, problem::Problem};

/// A form that a page of this very session sent: whoever has one in hand need check no more.
pub(super) struct Sent {
    fields: Vec<(String, String)>,
    /// Who sent it.
    pub(super) session: Session,
}

impl FromRequest<Shared> for Sent {
    type Rejection = Problem;

    async fn from_request(request: Request, context: &Shared) -> Result<Self, Problem> {
        let unusable = |why: &str| Problem::unusable(format!("the form cannot be read: {why}"));
        let (headers, size) = (request.headers().clone(), request.body().size_hint().lower());
        let session = request.extensions().get::<Session>().cloned();
        let session = session.ok_or_else(|| unusable("nobody is signed in"))?;
        let bytes = Bytes::from_request(request, context)
            .await
            .map_err(|_| unusable(&format!("it has {size} bytes or more, and may have {}", super::FORM)))?;
        let fields: Vec<(String, String)> = url::form_urlencoded::parse(&bytes).into_owned().collect();
        let sent = Self { fields, session };
        session::check(&sent.session, &headers, sent.text("csrf"))?;
        Ok(sent)
    }
}

impl Sent {
    /// A field's text, without white space around it; empty where it is not there.
    pub(super) fn text(&self, name: &str) -> &str {
        self.fields.iter().find(|(field, _)| field == name).map_or("", |(_, value)| value.trim())
    }

    /// A field's text, where there is any.
    pub(super) fn given(&self, name: &str) -> Option<String> {
        Some(self.text(name)).filter(|text| !text.is_empty()).map(str::to_owned)
    }

    /// Every value of a field that can have several.
    pub(super) fn all(&self, name: &str) -> Vec<&str> {
        self.fields.iter().filter(|(field, _)| field == name).map(|(_, value)| value.as_str()).collect()
    }

    /// Whether a box is ticked.
    pub(super) fn ticked(&self, name: &str) -> bool {
        !self.text(name).is_empty()
    }
}
