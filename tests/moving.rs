//! A partner whose server is elsewhere than before.

use crossdesk::demo::HelpDesk;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{FakePartner, Pair, TestDaemon, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_partner_that_has_moved_is_called_where_it_is_now() {
    for pair in Pair::STORES {
        let mut acme = TestDaemon::start("Acme", pair).await;
        let (before, uuid) = acme.agreed().await;
        let id = acme.open_and_share(&uuid, "Lens stuck").await;
        until("it is out", async || (before.tickets("POST").len() == 1).then_some(())).await;
        acme.until_quiet().await;
        before.answer_always(Some((503, vec![], String::new())));
        let event = acme.desk(|d| d.comment(&id, "Smith", "while it moves", true));
        acme.tell(&event).await;
        until("it is tried", async || (!before.tickets("PUT").is_empty()).then_some(())).await;

        // It says so itself, which a person has to confirm.
        let after = FakePartner::start().await;
        let (key, path) = (before.key(&uuid).await, format!("agreements/{uuid}"));
        let says = json!({"uuid": uuid, "receiver_url": format!("{}/", after.url)});
        // A server that does not know how it is reached says so with whatever it says: that is told once.
        for _ in 0..3 {
            let told = reqwest::Client::new()
                .put(format!("{}/{path}", acme.sharing_url()))
                .header("x-ticket-sharing-token", format!("{uuid}:{key}"))
                .body(says.to_string());
            assert_eq!(told.send().await.unwrap().status(), 200);
        }
        let notice = acme
            .until_desk("a notice says so", |d| {
                let told = d.notices.iter().find(|notice| notice["kind"] == "agreement_changed");
                told.and_then(|notice| notice["text"].as_str().map(str::to_owned))
            })
            .await;
        assert!(notice.contains(&after.url) && notice.contains(&before.url), "{notice}");
        assert_eq!(acme.get(&path).await["url"], before.url.as_str());
        let told = |d: &HelpDesk| d.notices.iter().filter(|n| n["kind"] == "agreement_changed").count();

        let edit = async |url: &str| acme.driver.ask(Method::PATCH, &path, Some(&json!({"url": url}))).await;
        for bad in [acme.sharing_url().as_str(), "ftp://lens.example", ""] {
            assert!(edit(bad).await.unwrap_err().to_string().contains("422"), "{bad}");
        }
        assert_eq!(edit(&after.url).await.unwrap()["url"], after.url.as_str());
        assert_eq!(edit(&after.url).await.unwrap()["url"], after.url.as_str(), "as it was is no change");
        until("what waited is there", async || {
            after
                .tickets("PUT")
                .iter()
                .any(|put| put["comments"][0]["body"] == "while it moves")
                .then_some(())
        })
        .await;
        assert_eq!(acme.desk(|d| told(d)), 1);
        // An invite says where it goes to.
        let pending = acme.invite(&before.url).await;
        let (there, moved) = (format!("agreements/{pending}"), json!({"url": after.url}));
        let edited = acme.driver.ask(Method::PATCH, &there, Some(&moved)).await;
        assert!(edited.unwrap_err().to_string().contains("409"));
        acme.post(&format!("{path}/deactivate"), Value::Null).await;
        assert!(edit(&before.url).await.unwrap_err().to_string().contains("409"));
        acme.stop().await;
    }
}
