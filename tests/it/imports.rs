//! CMDB rows over the API: each source replaces what it brought, all are checked as one, and what was imported survives files, faults and kills.

use serde_json::{Value, json};

use crate::daemon::Folder;
use crate::http_support::{Doors, TOKENS};

/// Two hosts on the switch of the files.
const HOSTS: &str = "items:\n  - {id: web-1, class: host, owner: net, aliases: [10.1.0.1], relations: [{depends_on: sw-1}]}\n  - {id: web-2, class: host}\n";

fn import(folder: &Folder, query: &str, document: &str) -> (u16, Value) {
    let answer = folder.post(&format!("/api/v1/cmdb/import?{query}"), document).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}")))
}

fn json(folder: &Folder, path: &str) -> Value {
    serde_json::from_str(folder.get(path).unwrap().split_once("\r\n\r\n").unwrap().1).unwrap()
}

fn items_of(folder: &Folder) -> Vec<String> {
    let list = json(folder, "/api/v1/cis");
    list["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

fn metric(folder: &Folder, name: &str) -> String {
    let all = folder.get("/metrics").unwrap();
    all.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned()
}

#[test]
fn a_source_brings_items_that_outlast_kills_and_reloads_of_the_files() {
    let folder = Folder::new();
    let daemon = folder.start();
    let (status, first) = import(&folder, "source=netbox", HOSTS);
    assert_eq!((status, &first["changed"], &first["summary"]), (200, &json!(true), &json!("2 CIs added")), "{first}");
    assert_eq!(first["items"][0], json!({"kind": "CI", "what": "added", "id": "web-1", "details": ""}));
    let shown = json(&folder, "/api/v1/cis/10.1.0.1");
    assert_eq!((&shown["id"], &shown["source"]), (&json!("web-1"), &json!("netbox")), "{shown}");
    drop(daemon);

    let _daemon = folder.start();
    assert_eq!(items_of(&folder), ["db-1", "sw-1", "web-1", "web-2"]);
    let files = std::fs::read_to_string(folder.path("cmdb/items.yaml")).unwrap();
    folder.rename_into("cmdb/items.yaml", &(files + "  - {id: shop, class: service, relations: [{runs_on: web-1}]}\n"));
    folder.cli(&["reload"]).well();
    assert_eq!(items_of(&folder), ["db-1", "shop", "sw-1", "web-1", "web-2"]);
    assert_eq!(json(&folder, "/api/v1/cis/sw-1/impact")["services"][0]["id"], json!("shop"), "relations go across sources");

    let (_, second) = import(&folder, "source=netbox", &HOSTS.replace("  - {id: web-2, class: host}\n", "  - {id: web-3, class: host}\n"));
    assert_eq!(second["summary"], json!("1 CI added, 1 retired"));
    let sources = json(&folder, "/api/v1/cmdb/sources");
    assert_eq!(sources["items"], json!([{"source": "files", "items": 3}, {"source": "netbox", "items": 2}]));
}

#[test]
fn nothing_is_written_by_a_dry_run_or_where_nothing_changes() {
    let folder = Folder::new();
    let _daemon = folder.start();
    import(&folder, "source=netbox", HOSTS);
    let before = (json(&folder, "/api/v1/cmdb/sources"), metric(&folder, "watchkeeper_block_bytes_total"));
    let (status, dry) = import(&folder, "source=netbox&dry_run=true", "items: [{id: web-1, class: host, owner: net}]");
    assert_eq!((status, &dry["changed"], &dry["dry_run"]), (200, &json!(false), &json!(true)));
    assert_eq!(dry["summary"], json!("1 CI changed, 1 retired"));
    assert!(dry["items"][0]["details"].as_str().unwrap().contains("aliases: 10.1.0.1 → nothing"), "{dry}");
    let (status, same) = import(&folder, "source=netbox", &format!("# in other words\n{HOSTS}"));
    assert_eq!((status, &same["changed"], &same["summary"]), (200, &json!(false), &json!("nothing changes")));
    assert_eq!((json(&folder, "/api/v1/cmdb/sources"), metric(&folder, "watchkeeper_block_bytes_total")), before);
    assert!(metric(&folder, "watchkeeper_cmdb_imports_total{outcome=\"unchanged\"}").ends_with(" 1"));
}

#[test]
fn what_contradicts_another_source_is_refused_with_both_places() {
    let folder = Folder::new();
    let _daemon = folder.start();
    let csv = "id,class,aliases,owner\nweb-1,host,10.0.0.9;SW-1,net\nweb-2,host,,nte\n";
    let (status, refused) = import(&folder, "source=netbox&format=csv", csv);
    assert_eq!(status, 422);
    let findings = refused["findings"].as_array().unwrap();
    let at = |finding: &Value| format!("{}:{}:{}", finding["path"].as_str().unwrap(), finding["line"], finding["column"]);
    assert_eq!(findings.iter().map(at).collect::<Vec<_>>(), ["netbox:items.csv:2:21", "netbox:items.csv:3:13"], "{refused:#}");
    assert!(findings[0]["message"].as_str().unwrap().contains("belongs to two CIs"), "{refused}");
    assert!(findings[0]["help"].as_str().unwrap().contains("it stands first at cmdb/items.yaml:3:10"), "{refused}");
    assert_eq!(findings[1]["label"], json!("did you mean `net`?"));
    assert!(refused["detail"].as_str().unwrap().contains("2 errors; nothing was changed"), "{refused}");
    assert_eq!(items_of(&folder), ["db-1", "sw-1"]);

    import(&folder, "source=netbox", HOSTS);
    let files = std::fs::read_to_string(folder.path("cmdb/items.yaml")).unwrap();
    folder.rename_into("cmdb/items.yaml", &(files + "  - {id: new, aliases: [10.1.0.1]}\n"));
    let reload = folder.cli(&["reload"]);
    assert_eq!(reload.code(), 1);
    assert!(reload.err().contains("netbox:items.yaml:2:") && reload.err().contains("cmdb/items.yaml:5:"), "{}", reload.err());
}

#[test]
fn faults_of_the_files_neither_stop_an_import_nor_are_forgotten_by_it() {
    let folder = Folder::new();
    let _daemon = folder.start();
    folder.rename_into("cmdb/items.yaml", "items: [{id: sw-1, criticality: hihg}]\n");
    assert_eq!(folder.cli(&["reload"]).code(), 1);
    let (status, imported) = import(&folder, "source=netbox", HOSTS);
    assert_eq!((status, &imported["changed"]), (200, &json!(true)), "it is checked against what is in force: {imported}");
    assert!(folder.get("/-/ready?verbose").unwrap().contains("stays in force"));
    assert_eq!(metric(&folder, "watchkeeper_reload_last_success"), "watchkeeper_reload_last_success 0");
}

#[test]
fn a_loss_is_taken_only_when_it_is_confirmed() {
    let folder = Folder::new();
    let _daemon = folder.start();
    let rows = |range: std::ops::Range<u32>| -> String {
        std::iter::once("id,class\n".to_owned()).chain(range.map(|n| format!("host-{n},host\n"))).collect()
    };
    import(&folder, "source=netbox&format=csv", &rows(0..60));
    import(&folder, "source=small", "items: [{id: one}]");
    let (status, dry) = import(&folder, "source=netbox&format=csv&dry_run=true", &rows(0..40));
    assert_eq!(status, 200);
    assert!(dry["unconfirmed"].as_str().unwrap().contains("would retire 20 of the 60 CIs of source `netbox`"), "{dry}");
    let (status, refused) = import(&folder, "source=netbox&format=csv", &rows(0..40));
    assert_eq!((status, &refused["confirm"], &refused["summary"]), (409, &json!("confirm=true"), &json!("20 CIs retired")), "{refused}");
    assert_eq!(refused["items"].as_array().unwrap().len(), 20);
    let (status, refused) = import(&folder, "source=small", "");
    assert_eq!(status, 409, "few as they are, all of a source is a loss: {refused}");
    assert_eq!(items_of(&folder).len(), 63);
    assert_eq!(import(&folder, "source=netbox&format=csv&confirm=true", &rows(0..40)).0, 200);
    assert_eq!(import(&folder, "source=small&confirm=true", "").0, 200);
    assert_eq!(items_of(&folder).len(), 42);
}

#[test]
fn the_command_line_imports_compares_and_lists_sources() {
    let folder = Folder::new();
    let _daemon = folder.start();
    folder.write("export.csv", "id,class,owner\nweb-1,host,net\n");
    let file = folder.path("export.csv").display().to_string();
    let compared = folder.cli(&["cmdb", "diff", &file, "--source", "netbox"]).well();
    assert!(compared.contains("added") && compared.contains("web-1") && compared.contains("1 CI added"), "{compared}");
    assert_eq!(items_of(&folder).len(), 2);
    folder.cli(&["cmdb", "import", &file, "--source", "netbox", "--dry-run"]).well();
    assert_eq!(items_of(&folder).len(), 2);
    let imported = folder.cli(&["cmdb", "import", &file, "--source", "netbox"]).well();
    assert!(imported.contains("CMDB 2 is in force"), "{imported}");
    let sources = folder.cli(&["cmdb", "sources"]).well();
    assert!(sources.contains("netbox") && sources.contains("files"), "{sources}");
    folder.write("export.csv", "");
    let refused = folder.cli(&["cmdb", "import", &file, "--source", "netbox"]);
    assert!(refused.code() == 1 && refused.err().contains("--confirm"), "{}", refused.err());
    assert_eq!(folder.cli(&["cmdb", "import", &file]).code(), 64, "whose rows they are must be said");
}

#[tokio::test]
async fn an_import_needs_an_administrator_a_name_and_a_known_format() {
    let doors = Doors::open(TOKENS).await;
    let path = "/api/v1/cmdb/import?source=netbox";
    for (role, status) in [("viewer", 403), ("operator", 403), ("source", 403)] {
        let token = format!("Bearer secret-of-{role}");
        assert_eq!(doors.send("POST", path, &[("authorization", &token)], "").await.status, status, "{role}");
    }
    for (query, said) in [
        ("", "source: expected the name"),
        ("?source=files", "which is the folder"),
        ("?source=Net%20Box", "letters a to z"),
        ("?source=a&format=xml", "unknown value of format"),
        ("?source=a&dryrun=true", "did you mean `dry_run`?"),
        ("?source=a&confirm=yes", "expected true or false"),
    ] {
        let told = doors.send("POST", &format!("/api/v1/cmdb/import{query}"), &[("authorization", "Bearer secret-of-admin")], "").await;
        assert_eq!(told.status, 400, "{query}: {told:?}");
        assert!(told.json()["detail"].as_str().unwrap().contains(said), "{query}: {told:?}");
    }
}
