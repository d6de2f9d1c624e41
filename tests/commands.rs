//! The program as its users meet it: what it prints, how it ends, what signals do.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
};

use serde_json::{Value, json};

use crate::support::{servers::free_port, until};

fn crossdesk(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crossdesk"));
    command.current_dir(folder).env_clear().env("PATH", "/usr/bin:/bin").stdin(Stdio::null());
    command
}

fn run(folder: &Path, args: &[&str], variables: &[(&str, &str)]) -> (i32, String, String) {
    let output = crossdesk(folder).args(args).envs(variables.iter().copied()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

struct Running(Child);
impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[test]
fn the_demo_tells_a_story_that_comes_true() {
    let folder = tempfile::tempdir().unwrap();
    let (code, out, err) = run(folder.path(), &["demo", "--exit"], &[]);
    assert_eq!(code, 0, "{out}\n{err}");
    assert_eq!(out.matches('✓').count(), 12, "{out}");
    assert!(!out.contains('✗') && err.is_empty(), "{out}\n{err}");
    assert!(out.contains("Smith (private): He is a good customer."));
}

#[tokio::test(flavor = "multi_thread")]
async fn with_nothing_at_all_it_runs_makes_its_token_and_stops_when_told() {
    let folder = tempfile::tempdir().unwrap();
    let (partners, admins) = (free_port(), free_port());
    let mut command = crossdesk(folder.path());
    command
        .arg("run")
        .env("CROSSDESK_HTTP__LISTEN", format!("127.0.0.1:{partners}"))
        .env("CROSSDESK_ADMIN__LISTEN", format!("127.0.0.1:{admins}"))
        .env("CROSSDESK_SERVICE_HOST", "10.0.0.1")
        .stderr(Stdio::piped());
    let mut running = Running(command.spawn().unwrap());
    let url = format!("http://127.0.0.1:{admins}");
    until("it is ready", async || {
        reqwest::get(format!("{url}/readyz")).await.ok().filter(|r| r.status().is_success()).map(drop)
    })
    .await;
    let token = folder.path().join("crossdesk-admin.token");
    let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(&token).unwrap());
    assert_eq!(mode & 0o777, 0o600);
    assert!(folder.path().join("crossdesk.db").exists());
    let (code, out, err) = run(folder.path(), &["agreement", "list", "--url", &url, "--json"], &[]);
    assert_eq!((code, out.trim()), (0, "[]"), "{err}");
    let (code, out, _) = run(
        folder.path(),
        &["agreement", "invite", "--kind", "queue", "--name", "Bridge", "--url", &url],
        &[],
    );
    assert_eq!(code, 0);
    assert!(out.contains("access_key"), "{out}");
    let (code, out, _) = run(folder.path(), &["agreement", "list", "--url", &url], &[]);
    assert!(code == 0 && out.contains("Bridge") && out.starts_with("UUID"), "{out}");
    let (code, _, err) = run(folder.path(), &["ticket", "show", "4711", "--url", &url], &[]);
    assert_eq!((code, err.lines().count()), (1, 1), "{err}");
    assert!(err.contains("4711"));
    // A second one on the same port says so in one line.
    let listen = format!("127.0.0.1:{admins}");
    let (code, _, err) = run(
        folder.path(),
        &["run"],
        &[("CROSSDESK_ADMIN__LISTEN", &listen), ("CROSSDESK_HTTP__LISTEN", "127.0.0.1:0")],
    );
    assert_eq!(code, 1);
    assert!(err.lines().last().unwrap().contains(&listen), "{err}");

    let pid = running.0.id().to_string();
    Command::new("kill").args(["-TERM", &pid]).status().unwrap();
    let begun = std::time::Instant::now();
    let status = until("it has ended", async || running.0.try_wait().unwrap()).await;
    assert_eq!(status.code(), Some(0));
    assert!(begun.elapsed() < std::time::Duration::from_secs(11));
    let mut logs = String::new();
    std::io::Read::read_to_string(running.0.stderr.as_mut().unwrap(), &mut logs).unwrap();
    for line in logs.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}"));
        assert!(line["level"].is_string() && line["message"].is_string(), "{line}");
    }
    assert!(!logs.contains(std::fs::read_to_string(&token).unwrap().trim()), "the token is in no log");
}

#[test]
fn what_cannot_be_used_ends_it_with_one_line_that_names_the_mend() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bad.toml");
    std::fs::write(&file, "[http]\nlisen = \"127.0.0.1:1\"\n").unwrap();
    let file = file.to_str().unwrap().to_owned();
    for (args, variables, wanted) in [
        (vec!["run", "--config", &file], vec![], vec!["bad.toml:2", "lisen", "listen"]),
        (vec!["check", "--config", &file], vec![], vec!["bad.toml:2", "lisen"]),
        (vec!["run", "--config", "none.toml"], vec![], vec!["none.toml", "--config"]),
        (
            vec!["run"],
            vec![("CROSSDESK_STORE__URL", "mysql://u:secret@h/d")],
            vec!["CROSSDESK_STORE__URL", "sqlite:"],
        ),
        (
            vec!["run"],
            vec![("CROSSDESK_BROKER__URL", "amqp//u:secret@h")],
            vec!["CROSSDESK_BROKER__URL", "amqp://"],
        ),
        (vec!["run"], vec![("CROSSDESK_DELIVERY__TIMEOUT", "soon")], vec!["delivery.timeout", "10s"]),
        (
            vec!["run"],
            vec![("CROSSDESK_HTTP__LISTEN", "nowhere")],
            vec!["CROSSDESK_HTTP__LISTEN", "http.listen"],
        ),
    ] {
        let (code, _, err) = run(folder.path(), &args, &variables);
        assert_eq!((code, err.trim_end().lines().count()), (1, 1), "{err}");
        for word in wanted {
            assert!(err.contains(word), "{word}: {err}");
        }
        assert!(!err.contains("secret"), "{err}");
    }
    let port = free_port();
    let (code, out, err) = run(
        folder.path(),
        &["check"],
        &[("CROSSDESK_BROKER__URL", &format!("amqp://guest:guest@127.0.0.1:{port}"))],
    );
    assert_eq!(code, 1);
    assert!(out.contains("store          ok") && err.contains("broker"), "{out}{err}");
    assert_eq!(run(folder.path(), &["check"], &[]).0, 0);
    let (code, out, _) = run(folder.path(), &["check", "--json"], &[]);
    let found: Value = serde_json::from_str(&out).unwrap();
    assert!(
        code == 0 && found[0] == json!({"what": "configuration", "found": "ok", "detail": "ok"}),
        "{found}"
    );
    // What would keep it from running is found, too.
    let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = held.local_addr().unwrap().to_string();
    for (variable, value, wanted) in [
        ("CROSSDESK_HTTP__LISTEN", "192.0.2.1:80", "http.listen"),
        ("CROSSDESK_ADMIN__LISTEN", taken.as_str(), "somebody else's"),
        ("CROSSDESK_STORE__URL", "sqlite:/nowhere/crossdesk.db", "store"),
        ("CROSSDESK_STORE__URL", "postgres://u:hidden@127.0.0.1:1/desk", "PostgreSQL at 127.0.0.1:1"),
    ] {
        let (code, out, err) = run(folder.path(), &["check"], &[(variable, value)]);
        assert!(code == 1 && err.contains(wanted), "{variable}: {out}{err}");
        assert!(!format!("{out}{err}").contains("hidden"), "{out}{err}");
    }
    drop(held);
    let certificate =
        [("CROSSDESK_HTTP__CERTIFICATE", "none.pem"), ("CROSSDESK_HTTP__PRIVATE_KEY", "none.pem")];
    let (code, _, err) = run(folder.path(), &["check"], &certificate);
    assert!(code == 1 && err.contains("none.pem"), "{err}");
    // Where the partner is has a name of its own: nobody else is sent the admin token.
    let elsewhere = format!("http://127.0.0.1:{port}");
    let (code, _, err) =
        run(folder.path(), &["agreement", "invite", "--url", &elsewhere, "--token", "t"], &[]);
    assert!(code == 2 && err.contains("--partner-url"), "{err}");
    assert_eq!(run(folder.path(), &["nonsense"], &[]).0, 2);
    assert_eq!(run(folder.path(), &["--version"], &[]).0, 0);
    for of in ["config", "event", "command"] {
        let (code, out, _) = run(folder.path(), &["schema", of], &[]);
        assert!(code == 0 && serde_json::from_str::<Value>(&out).unwrap().is_object());
    }
    assert!(run(folder.path(), &["completions", "bash"], &[]).1.contains("crossdesk"));
}
