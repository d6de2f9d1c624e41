//! Partners that are busy, cannot be reached, or do what they are asked and lose the answer.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use crossdesk::ports::{Answer, Call, CallError, Method, Partner};
use serde_json::Value;

use super::faults::{Fault, Life};
use crate::support::books::PartnerBooks;

/// One call in so many fails.
const CALLS: usize = 8;
const MILLIS: usize = 50;

/// The partners, each at its URL.
pub(crate) type Partners = Arc<Vec<Mutex<PartnerBooks>>>;

/// The URL of a partner.
pub(crate) fn url(n: usize) -> String {
    format!("https://partner-{n}.example/sharing")
}

/// The partners as one life of the daemon sees them.
#[derive(Debug)]
pub(crate) struct Shaky {
    pub(crate) partners: Partners,
    pub(crate) life: Life,
}

#[async_trait]
impl Partner for Shaky {
    async fn call(&self, call: &Call) -> Result<Answer, CallError> {
        let faults = &self.life.faults;
        // A request that is out goes its way, whether or not its daemon still lives when it arrives.
        if faults.roll(2) == 0 {
            self.life.passes(MILLIS).await;
        } else {
            faults.wait(MILLIS).await;
        }
        let fault = faults.fault(CALLS);
        let answer =
            |status, retry_after| Answer { status, text: String::new(), is_page: false, retry_after };
        if fault == Fault::Before {
            return match faults.roll(3) {
                0 => Ok(answer(503, Some(Duration::from_secs(faults.roll(10) as u64)))),
                1 => Ok(answer(500, None)),
                _ => Err(CallError::Unreachable("nobody is there".to_owned())),
            };
        }
        let n = (0..self.partners.len()).find(|n| url(*n) == call.base).unwrap();
        let method = match call.method {
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Delete => "DELETE",
            Method::Get => "GET",
        };
        let body: Value =
            call.body.as_deref().map_or(Value::Null, |body| serde_json::from_str(body).unwrap());
        let status = match call.collection {
            "tickets" => self.partners[n].lock().unwrap().take(method, call.uuid.as_str(), &body, ""),
            _ => 200,
        };
        faults.note(format!(
            "partner {n} answers {status} to {method} {} {}",
            call.uuid, body["crossdesk"]["seq"]
        ));
        self.life.passes(MILLIS).await;
        if fault == Fault::After {
            return Err(CallError::Unreachable("the answer was lost".to_owned()));
        }
        Ok(answer(status, None))
    }

    fn permits(&self, _url: &str) -> Result<(), String> {
        Ok(())
    }
}
