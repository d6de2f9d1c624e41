//! Files, variables, secrets, samples: all without touching this process' environment.

use std::collections::BTreeMap;

use crossdesk::config::{Config, from_file, load};

fn variables(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn the_sample_is_complete_and_its_defaults_are_the_defaults() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/config/crossdesk.toml");
    let text = std::fs::read_to_string(path).unwrap();
    let sample = load(&text, path, &BTreeMap::new()).unwrap();
    let as_toml = |config: &Config| toml::Value::try_from(config).unwrap();
    assert_eq!(as_toml(&sample), as_toml(&Config::default()));
    // Every key stands in it: set, or commented out because it has no default worth setting.
    let mut keys = Vec::new();
    collect("", &as_toml(&Config::default()), &mut keys);
    for key in keys {
        let name = key.rsplit('.').next().unwrap();
        assert!(
            text.contains(&format!("{name} = ")) || text.contains(&format!("{name}      ")),
            "{key} is missing"
        );
    }
    // What is commented out as an example is valid as well.
    let uncommented: String =
        text.lines().map(|line| line.strip_prefix("#: ").unwrap_or(line)).collect::<Vec<_>>().join("\n");
    let examples = load(&uncommented, path, &BTreeMap::new()).unwrap();
    assert_eq!((examples.agreements.len(), examples.rules.len(), examples.desk.fields.len()), (2, 1, 1));
}

fn collect(prefix: &str, value: &toml::Value, keys: &mut Vec<String>) {
    if let toml::Value::Table(table) = value {
        for (key, value) in table {
            let path = format!("{prefix}{key}");
            match value {
                toml::Value::Table(_) => collect(&format!("{path}."), value, keys),
                toml::Value::Array(_) => {}
                _ => keys.push(path),
            }
        }
    }
}

#[test]
fn every_other_sample_loads() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/config");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|ending| ending != "toml") {
            continue;
        }
        from_file(Some(&path), &BTreeMap::new()).unwrap_or_else(|error| panic!("{error}"));
    }
}

#[test]
fn variables_override_the_file_and_have_the_types_of_their_keys() {
    let set = variables(&[
        ("CROSSDESK_DESK__NAME", "42"),
        ("CROSSDESK_DESK__DECLINE_ALL_INVITES", "true"),
        ("CROSSDESK_DELIVERY__SIDE_BY_SIDE", "3"),
        ("CROSSDESK_DELIVERY__RETRY__INITIAL", "2s"),
        ("CROSSDESK_DESK__FIELDS", "[{title = 'Model', type = 'dropdown', options = ['X100']}]"),
    ]);
    let config = load("[desk]\nname = \"File\"\n", "file.toml", &set).unwrap();
    assert_eq!(
        (config.desk.name.as_str(), config.desk.decline_all_invites, config.delivery.side_by_side),
        ("42", true, 3)
    );
    assert_eq!((config.delivery.retry.initial.as_str(), config.desk.fields.len()), ("2s", 1));
}

#[test]
fn a_secret_can_come_from_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    std::fs::write(&path, "from-a-file\n").unwrap();
    let path = path.to_str().unwrap();
    let config = load(&format!("[admin]\ntoken_file = \"{path}\"\n"), "file.toml", &BTreeMap::new()).unwrap();
    assert_eq!(config.admin.token, "from-a-file");
    let config = load("", "file.toml", &variables(&[("CROSSDESK_ADMIN__TOKEN_FILE", path)])).unwrap();
    assert_eq!(config.admin.token, "from-a-file");
    assert!(!format!("{config:?}").contains("from-a-file"));
    let both = format!("[admin]\ntoken = \"x\"\ntoken_file = \"{path}\"\n");
    assert!(load(&both, "file.toml", &BTreeMap::new()).unwrap_err().to_string().contains("admin.token_file"));
    // A variable counts before the file, whichever form either has.
    let in_file = format!("[admin]\ntoken_file = \"{path}\"\n");
    let config = load(&in_file, "file.toml", &variables(&[("CROSSDESK_ADMIN__TOKEN", "abc")])).unwrap();
    assert_eq!(config.admin.token, "abc");
    let config =
        load("[admin]\ntoken = \"x\"\n", "file.toml", &variables(&[("CROSSDESK_ADMIN__TOKEN_FILE", path)]));
    assert_eq!(config.unwrap().admin.token, "from-a-file");
    let one = [("CROSSDESK_ADMIN__TOKEN", "abc"), ("CROSSDESK_ADMIN__TOKEN_FILE", "")];
    assert_eq!(load(&in_file, "file.toml", &variables(&one)).unwrap().admin.token, "abc");
    let config = load(&in_file, "file.toml", &variables(&[("CROSSDESK_ADMIN__TOKEN", "")])).unwrap();
    assert_eq!(config.admin.token, "from-a-file", "a variable that holds nothing says nothing");
    let wrong = load("[admin]\ntoken_file = true\n", "file.toml", &BTreeMap::new()).unwrap_err().to_string();
    assert!(wrong.contains("admin.token_file: must be the path"), "{wrong}");
    let section = "[[agreements]]\nuuid = \"u\"\nname = \"n\"\ndirection = \"outbound\"\nkind = \"queue\"\n";
    let set = variables(&[("CROSSDESK_AGREEMENTS__0__ACCESS_KEY", "k")]);
    let missing = load(section, "file.toml", &set).unwrap_err().to_string();
    assert!(missing.starts_with("file.toml") && missing.contains("status"), "{missing}");
    std::fs::write(path, " \n").unwrap();
    let empty = load(&in_file, "file.toml", &BTreeMap::new()).unwrap_err().to_string();
    assert!(empty.contains("admin.token_file") && empty.contains("is empty"), "{empty}");
}

#[test]
fn every_error_names_where_what_and_the_mend() {
    for (text, wanted) in [
        ("[desk", &["file.toml:1", "TOML"][..]),
        ("[desk]\nname = 5\n", &["file.toml:2", "desk.name", "string"]),
        ("[desk]\nname = \" \"\n", &["desk.name", "empty"]),
        ("[desk]\nsharing_url = \"desk\"\n", &["desk.sharing_url", "https://"]),
        (
            "[desk]\nsharing_url = \"https://desk.example/sharing?v=1\"\n",
            &["desk.sharing_url", "after its path"],
        ),
        ("[desk]\nticket_url = \"https://desk.example/tickets\"\n", &["desk.ticket_url", "{id}"]),
        ("[[desk.fields]]\ntitle = \"T\"\ntype = \"dropdown\"\n", &["desk.fields[0].options", "\"T\""]),
        (
            "[[desk.fields]]\ntitle = \"T\"\ntype = \"text\"\n[[desk.fields]]\ntitle = \"t\"\ntype = \"date\"\n",
            &["desk.fields[1].title", "letter case"],
        ),
        (
            "[broker]\ncommands_queue = \"crossdesk.events\"\n",
            &["broker.commands_queue", "broker.events_queue"],
        ),
        ("[broker]\ninbound_queue = \"\"\n", &["broker.inbound_queue", "255"]),
        ("[broker]\nevents_queue = \"amq.events\"\n", &["broker.events_queue", "amq."]),
        ("[broker]\nevents_exchange = \"amq.events\"\n", &["broker.events_exchange", "amq."]),
        ("[broker]\npartners_exchange = \"amq.topic\"\n", &["broker.partners_exchange", "amq."]),
        ("[mail]\nurl = \"x\"\n", &["mail.url", "smtp://"]),
        ("[broker]\npartner_queue_prefix = \"\"\n", &["broker.partner_queue_prefix", "55"]),
        ("[admin]\ntoken = \"pässwort\"\n", &["admin.token", "ASCII"]),
        ("[log]\nlevel = \"loud\"\n", &["log.level", "crossdesk=debug"]),
        ("[runtime]\nthreads = 100000\n", &["runtime.threads", "256"]),
        (
            "[broker]\npartner_queue_prefix = \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"\n",
            &["broker.partner_queue_prefix", "55"],
        ),
        ("[store]\nurl = \"oracle:x\"\n", &["store.url", "sqlite:"]),
        ("[broker]\nurl = \"kafka://x\"\n", &["broker.url", "amqp://"]),
        ("[broker]\nqueue_type = \"lazy\"\n", &["broker.queue_type", "quorum"]),
        ("[delivery.retry]\ninitial = \"1h\"\n", &["delivery.retry.initial", "max"]),
        ("[admin]\nlisten = \"127.0.0.1:8085\"\n", &["admin.listen", "http.listen"]),
        ("[[rules]]\nname = \"r\"\nwhen = \"ticket.\"\nshare_with = \"x\"\n", &["rules[0].when", "\"r\""]),
        ("[[rules]]\nname = \"r\"\nshare_with = \"x\"\n", &["rules[0]", "when"]),
        ("[[desk.fields]]\ntitle = \"T\"\ntype = \"colour\"\n", &["desk.fields[0].type", "dropdown"]),
        (
            "[[agreements]]\nuuid = \"x\"\nname = \"n\"\ndirection = \"outbound\"\nkind = \"queue\"\naccess_key = \"k\"\nstatus = \"accepted\"\n",
            &["agreements[0].uuid", "40 hex"],
        ),
    ] {
        let error = load(text, "file.toml", &BTreeMap::new()).unwrap_err().to_string();
        assert_eq!(error.lines().count(), 1, "{error}");
        for word in wanted {
            assert!(error.contains(word), "{text:?}: {word}: {error}");
        }
    }
}

#[test]
fn an_unknown_key_is_the_fault_of_whoever_wrote_it() {
    let set = variables(&[("CROSSDESK_FOO__BAR", "1")]);
    let error = load("[desk]\nname = \"n\"\n", "file.toml", &set).unwrap_err().to_string();
    assert!(error.starts_with("CROSSDESK_FOO__BAR: foo"), "{error}");
    let error = load("[foo]\nbar = 1\n", "file.toml", &BTreeMap::new()).unwrap_err().to_string();
    assert!(error.starts_with("file.toml") && error.contains("foo"), "{error}");
}

#[test]
fn the_schema_takes_what_the_daemon_takes() {
    let schema = crossdesk::config::schema();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let agreement = "[[agreements]]\nuuid = \"u\"\nname = \"n\"\ndirection = \"outbound\"\nkind = \"jira\"\n";
    for (text, fits) in [
        ("[admin]\ntoken_file = \"/run/secrets/token\"\n[store]\nurl_file = \"/run/secrets/url\"\n", true),
        ("[admin]\ntoken_fil = \"/run/secrets/token\"\n", false),
        (
            &format!(
                "{agreement}status = \"accepted\"\n[agreements.jira]\nproject = \"P\"\ntoken_file = \"t\"\n"
            ),
            true,
        ),
        (&format!("{agreement}status = \"accepted\"\n[agreements.jira]\nproject = \"P\"\n"), false),
        (
            &format!(
                "{agreement}[agreements.status]\nagreement = \"accepted\"\n[agreements.status.to_partner]\nhold = \"Waiting\"\n[agreements.jira]\nproject = \"P\"\ntoken = \"t\"\n"
            ),
            true,
        ),
        (&format!("{agreement}[agreements.status]\nhold = \"Waiting\"\n"), false),
    ] {
        let table: toml::Table = text.parse().unwrap();
        let value = serde_json::to_value(table).unwrap();
        let errors: Vec<String> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
        assert_eq!(errors.is_empty(), fits, "{text}: {errors:?}");
        let read = load(text, "file.toml", &BTreeMap::new()).map(drop);
        let of_the_form = read.as_ref().map_or_else(
            |why| !why.to_string().contains("unknown") && !why.to_string().contains("missing"),
            |()| true,
        );
        assert_eq!(of_the_form, fits, "{text}: {read:?}");
    }
}

#[test]
fn variables_reach_into_lists_too() {
    let uuid = "ed46838bfb41461e4f3b16ba471162c8e2764260";
    let set = variables(&[
        ("CROSSDESK_TRACE__SAMPLE", "0.5"),
        ("CROSSDESK_AGREEMENTS__0__UUID", uuid),
        ("CROSSDESK_AGREEMENTS__0__NAME", "Bridge"),
        ("CROSSDESK_AGREEMENTS__0__DIRECTION", "outbound"),
        ("CROSSDESK_AGREEMENTS__0__KIND", "queue"),
        ("CROSSDESK_AGREEMENTS__0__STATUS", "accepted"),
        ("CROSSDESK_AGREEMENTS__0__ACCESS_KEY", &"1".repeat(40)),
        ("CROSSDESK_AGREEMENTS__0__TERMS__SYNC_TAGS", "true"),
        ("CROSSDESK_RULES", "[{name = 'all', when = 'true', share_with = 'Bridge'}]"),
    ]);
    let config = load("", "file.toml", &set).unwrap();
    let agreement = &config.agreements[0];
    assert_eq!(
        (agreement.uuid.as_str(), agreement.access_key.len(), agreement.terms.sync_tags),
        (uuid, 40, true)
    );
    assert_eq!((config.trace.sample.to_string().as_str(), config.rules[0].name.as_str()), ("0.5", "all"));
    // A secret of an agreement that the file declares.
    let text = format!(
        "[[agreements]]\nuuid = \"{uuid}\"\nname = \"B\"\ndirection = \"outbound\"\nkind = \"queue\"\nstatus = \"accepted\"\n"
    );
    let key = variables(&[("CROSSDESK_AGREEMENTS__0__ACCESS_KEY", &"2".repeat(40))]);
    assert_eq!(load(&text, "file.toml", &key).unwrap().agreements[0].access_key, "2".repeat(40));
    let short = variables(&[("CROSSDESK_AGREEMENTS__0__ACCESS_KEY", "2")]);
    let error = load(&text, "file.toml", &short).unwrap_err().to_string();
    assert!(error.contains("CROSSDESK_AGREEMENTS__0__ACCESS_KEY") && error.contains("40 hex"), "{error}");
}

#[test]
fn a_declared_partner_has_an_address_that_may_be_called_and_a_name_of_its_own() {
    let declare = |url: &str| {
        format!(
            "[[agreements]]\nuuid = \"ed46838bfb41461e4f3b16ba471162c8e2764260\"\nname = \"L\"\ndirection = \"outbound\"\n\
             kind = \"third_party\"\naccess_key = \"{}\"\nstatus = \"accepted\"\nurl = \"{url}\"\n",
            "1".repeat(40)
        )
    };
    let none = BTreeMap::new();
    for (url, why) in [
        ("ftp://lens.example/", "scheme"),
        ("http://lens.example/", "allow_private_partners"),
        ("https://10.0.0.1/", "not public"),
    ] {
        let error = load(&declare(url), "file.toml", &none).unwrap_err().to_string();
        assert!(error.contains("agreements[0].url") && error.contains(why), "{url}: {error}");
    }
    let private = format!("[delivery]\nallow_private_partners = true\n{}", declare("http://10.0.0.1/"));
    assert!(load(&private, "file.toml", &none).is_ok());
    let twice = declare("https://lens.example/sharing").repeat(2);
    let error = load(&twice, "file.toml", &none).unwrap_err().to_string();
    assert!(error.contains("agreements[1].uuid"), "{error}");
}

#[test]
fn the_image_and_the_base_for_kubernetes_agree() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy");
    let image = std::fs::read_to_string(format!("{root}/docker/Dockerfile")).unwrap();
    let set: BTreeMap<String, String> = image
        .split_whitespace()
        .filter(|word| word.starts_with("CROSSDESK_"))
        .filter_map(|word| word.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    assert!(!set.is_empty());
    let folder = tempfile::tempdir().unwrap();
    for (name, secret) in [
        ("store-url", "postgres://u:p@h/d"),
        ("store-key", &"0".repeat(64)),
        ("broker-url", "amqp://u:p@h"),
        ("admin-token", "t"),
    ] {
        std::fs::write(folder.path().join(name), secret).unwrap();
    }
    let text = std::fs::read_to_string(format!("{root}/kubernetes/crossdesk.toml")).unwrap();
    let text = text.replace("/run/secrets/crossdesk", folder.path().to_str().unwrap());
    let config = load(&text, "crossdesk.toml", &set).unwrap();
    assert_eq!(
        (config.store.url.as_str(), config.http.listen.to_string().as_str()),
        ("postgres://u:p@h/d", "0.0.0.0:8085")
    );
}

#[test]
fn what_the_pages_show_of_the_configuration_loads() {
    let root = env!("CARGO_MANIFEST_DIR");
    let pages = std::fs::read_dir(format!("{root}/src/docs")).unwrap().map(|entry| entry.unwrap().path());
    let secrets = tempfile::tempdir().unwrap();
    let signs = format!("whsec_{}", "A".repeat(44));
    for (name, secret) in [
        ("store-url", "postgres://u:p@h/d"),
        ("broker-url", "amqp://u:p@h"),
        ("commands", &signs),
        ("jira-token", "t"),
        ("jira-webhook", "w"),
    ] {
        std::fs::write(secrets.path().join(name), secret).unwrap();
    }
    let mut blocks = 0;
    for page in pages
        .chain([format!("{root}/README.md").into()])
        .filter(|page| page.extension().is_some_and(|kind| kind == "md"))
    {
        let text = std::fs::read_to_string(&page).unwrap();
        let after = text.split("```toml\n").skip(1);
        for block in after.map(|rest| rest.split("```").next().unwrap()) {
            let block = block.replace("/run/secrets", secrets.path().to_str().unwrap());
            load(&block, &page.display().to_string(), &BTreeMap::new())
                .unwrap_or_else(|error| panic!("{error}\n{block}"));
            blocks += 1;
        }
    }
    assert!(blocks >= 3, "{blocks}");
}
