//! Partners that say something else while they are told.

use serde_json::json;

use crate::support::{Pair, Sender, TestDaemon, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_partner_that_rewrites_all_that_it_is_told_has_its_way_in_the_end() {
    let acme = TestDaemon::start("Acme", Pair::SQLITE_EMBEDDED).await;
    let (partner, uuid) = acme.agreed().await;
    let id = acme.open_and_share(&uuid, "Lens stuck").await;
    until("it is out", async || partner.tickets("POST").pop()).await;
    acme.until_quiet().await;
    let theirs = Sender::of(&acme, &partner, &uuid).await;
    // It says nothing of what it has seen, and what it says comes before its answer.
    partner.retort(theirs.base.clone(), theirs.token(), json!({"subject": "LENS STUCK", "tags": ["theirs"]}));
    let edit = acme.desk(|d| d.set(&id, "subject", "Lens still stuck"));
    acme.tell(&edit).await;
    let edit = acme.desk(|d| d.tag(&id, &["ours"]));
    acme.tell(&edit).await;
    acme.until_desk("it has its way", |d| {
        let ticket = &d.tickets[&id];
        (ticket.values["subject"] == "LENS STUCK"
            && ticket.tags.contains("theirs")
            && !ticket.tags.contains("ours"))
        .then_some(())
    })
    .await;
    acme.until_quiet().await;
    let told = partner.tickets("PUT");
    assert!((3..25).contains(&told.len()), "{told:?}");
    assert_eq!(told.iter().filter(|put| put["subject"] == "Lens still stuck").count(), 6, "{told:?}");
}
