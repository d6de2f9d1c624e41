//! Who gets to see the admin pages: sessions, and forms that only this site's pages can send.

use reqwest::{Client, Method, Response, header, redirect::Policy};

use serde_json::json;

use crate::support::{Pair, TestDaemon, say, until};

async fn page(client: &Client, base: &str, cookie: &str) -> Response {
    client.get(base).header(header::COOKIE, cookie).send().await.unwrap()
}

async fn form(client: &Client, url: String, cookie: &str, body: String, origin: &str) -> Response {
    let request = client.post(url).header(header::COOKIE, cookie).header(header::ORIGIN, origin);
    request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded").body(body).send().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_for_those_who_have_signed_in_and_their_forms_come_from_nowhere_else() {
    let daemon = TestDaemon::start("Acme", Pair::SQLITE_EMBEDDED).await;
    let base = format!("http://{}", daemon.config.admin.listen);
    let client = Client::builder().no_proxy().redirect(Policy::none()).build().unwrap();
    let stranger = page(&client, &base, "").await;
    assert_eq!(stranger.status(), 401);
    let policy = stranger.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned();
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    assert!(stranger.text().await.unwrap().contains("Admin token"));

    let login = format!("{base}/login");
    let wrong = form(&client, login.clone(), "", "token=wrong".into(), &base).await;
    assert_eq!((wrong.status().as_u16(), wrong.headers().get(header::SET_COOKIE)), (401, None));
    let elsewhere = form(&client, login.clone(), "", "token=test-token".into(), "https://evil.example").await;
    assert_eq!(elsewhere.status(), 403, "another site cannot sign anybody in");
    let right = form(&client, login, "", "token=test-token".into(), &base).await;
    assert_eq!((right.status().as_u16(), right.headers()[header::LOCATION].to_str().unwrap()), (303, "/"));
    let set = right.headers()[header::SET_COOKIE].to_str().unwrap().to_owned();
    assert!(set.contains("; HttpOnly") && set.contains("; SameSite=Strict"), "{set}");
    let cookie = set.split(';').next().unwrap().to_owned();
    assert!(!cookie.contains("test-token"));

    // What partners say of themselves is text, whatever it looks like.
    let evil = json!({"uuid": "evil", "name": "<script>alert(1)</script>\r\nX: y", "access_key": "k", "status": "pending",
        "sender_url": daemon.sharing_url()});
    assert_eq!(say(&daemon.sharing_url(), "", "POST", "agreements/evil", Some(&evil)).await.0, 201);
    let seen = page(&client, &format!("{base}/agreements"), &format!("other=1; {cookie}")).await;
    assert_eq!(seen.status(), 200);
    assert!(seen.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap().contains("default-src 'none'"));
    let html = seen.text().await.unwrap();
    assert!(html.contains("alert(1)") && !html.contains("<script>"), "{html}");
    let (_, rest) = html.split_once("name=\"csrf\" value=\"").unwrap();
    let csrf = rest.split('"').next().unwrap();
    let logout = format!("{base}/logout");
    for (body, origin) in [
        ("csrf=".to_owned(), base.as_str()),
        (format!("csrf={}", "0".repeat(64)), &base),
        (format!("csrf={csrf}"), "https://evil.example"),
        (format!("csrf={csrf}"), "null"),
    ] {
        assert_eq!(
            form(&client, logout.clone(), &cookie, body.clone(), origin).await.status(),
            403,
            "{body} {origin}"
        );
    }
    assert_eq!(page(&client, &base, &cookie).await.status(), 200);
    assert_eq!(form(&client, logout, &cookie, format!("csrf={csrf}"), &base).await.status(), 303);
    assert_eq!(page(&client, &base, &cookie).await.status(), 401, "a session that has ended opens nothing");
    // What monitors read, a script of another site does not.
    for path in ["metrics", "readyz"] {
        let url = format!("{base}/{path}");
        let script = client.get(&url).header("sec-fetch-mode", "cors").send().await.unwrap();
        let monitor = client.get(&url).send().await.unwrap();
        assert_eq!((script.status().as_u16(), monitor.status().as_u16()), (403, 200), "{path}");
    }
    // A session opens the pages, not the API: a form of another site could not be told from one of ours there.
    let api = client.post(format!("{base}/api/v1/agreements")).header(header::COOKIE, &cookie).send().await;
    assert_eq!(api.unwrap().status(), 401);
    let login = format!("{base}/login");
    let mut last = 0;
    for _ in 0..25 {
        last = form(&client, login.clone(), "", "token=guess".into(), &base).await.status().as_u16();
    }
    assert_eq!(last, 429, "guessing ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_there_on_either_database() {
    for pair in [Pair::SQLITE_EMBEDDED, Pair::POSTGRES_AMQP] {
        let daemon = TestDaemon::start("Acme", pair).await;
        let (partner, uuid) = daemon.agreed().await;
        let id = daemon.open_and_share(&uuid, "Lens is broken").await;
        until("the partner has it", async || {
            let story = daemon.driver.ask(Method::GET, &format!("tickets/{id}/explain"), None).await.ok()?;
            (story["messages"][0]["state"] == "delivered").then_some(())
        })
        .await;
        partner.answer_always(Some((422, vec![], "no".to_owned())));
        daemon.open_and_share(&uuid, "Nobody wants this").await;
        until("the dead letter", async || {
            (daemon.get("dead-letters").await.as_array()?.len() == 1).then_some(())
        })
        .await;
        let base = format!("http://{}", daemon.config.admin.listen);
        let client = Client::builder().no_proxy().redirect(Policy::none()).build().unwrap();
        let right = form(&client, format!("{base}/login"), "", "token=test-token".into(), &base).await;
        let set = right.headers()[header::SET_COOKIE].to_str().unwrap().to_owned();
        let cookie = set.split(';').next().unwrap().to_owned();
        let ticket = daemon.ticket(&id).await["uuid"].as_str().unwrap().to_owned();
        for (path, shown) in [
            (String::new(), "Partner"),
            ("/agreements".to_owned(), "Partner"),
            (format!("/agreements/{uuid}"), "Partner"),
            (format!("/agreements/{uuid}/deactivate"), "Partner"),
            ("/agreements/new".to_owned(), "Zendesk"),
            ("/tickets".to_owned(), "Lens is broken"),
            (format!("/tickets?agreement={uuid}"), "Lens is broken"),
            (format!("/tickets/{ticket}"), "Lens is broken"),
            ("/attention".to_owned(), "Partner"),
        ] {
            let seen = page(&client, &format!("{base}{path}"), &cookie).await;
            let (status, html) = (seen.status(), seen.text().await.unwrap());
            assert!(status == 200 && html.contains(shown), "{path}: {status} without {shown}: {html}");
        }
        // What is said to need a person leads to the tickets.
        let attention = page(&client, &format!("{base}/attention"), &cookie).await.text().await.unwrap();
        let (_, link) =
            attention.split_once("href=\"/attention/trouble?").unwrap_or_else(|| panic!("{attention}"));
        let link = link.split('"').next().unwrap().replace("&#38;", "&").replace("&amp;", "&");
        let of_kind = page(&client, &format!("{base}/attention/trouble?{link}"), &cookie).await;
        assert_eq!(of_kind.status(), 200);
        let html = of_kind.text().await.unwrap();
        assert!(html.contains("Nobody wants this"), "{link}: {html}");
    }
}
