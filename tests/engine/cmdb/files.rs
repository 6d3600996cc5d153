//! CMDB files: what they hold, what is wrong with them, and what an import changes.

use proptest::prelude::*;
use watchkeeper_engine::cmdb::files::{self, Source, read_inline};
use watchkeeper_engine::cmdb::{Cmdb, Inventory, MinUp, diff};
use watchkeeper_engine::ids::CiNo;
use watchkeeper_engine::limits;
use watchkeeper_engine::source::{Diagnostic, Reading, SourceFile, parse};
use watchkeeper_engine::words::{Level, Relation};

const CONTRACT_EXAMPLE: &str = r"
people: [{id: anna, mail: [anna@example.org]}]
teams:  [{id: network, mail: [net@example.org], lead: Anna, oncall: network, calendar: office, zone: Europe/Berlin}, {id: dba}]
items:
  - {id: sw-1,    class: switch,  owner: Network, criticality: high, environment: production, aliases: [10.0.0.1], labels: {site: ber}}
  - {id: db-1,    class: host,    owner: dba, relations: [{depends_on: SW-1}, {member_of: db-pool}], note: 'old, replace', domain: shops}
  - {id: db-pool, class: cluster, min_up: 1}
  - {id: shop,    class: service, tier: gold, criticality: high, stakeholders: [shop@example.org], relations: [{runs_on: db-pool}]}
contracts: [{id: acme-net, vendor: ACME, mail: [noc@acme.example], until: 2027-06-30, notice: 90d, covers: [10.0.0.1]}]
";

fn file(path: &str, text: &str) -> SourceFile {
    SourceFile::new(path, text)
}

fn shown(found: &[Diagnostic], files: &[SourceFile]) -> Vec<String> {
    let of = |finding: &Diagnostic| {
        let file = files.iter().find(|file| file.path == finding.path).unwrap();
        let gravity = if finding.is_error() { "" } else { "warning: " };
        let label = if finding.label.is_empty() { String::new() } else { format!(" [{}]", finding.label) };
        format!("{}:{} {gravity}{}{label}", file.path, file.place(finding.span.start), finding.message)
    };
    found.iter().map(of).collect()
}

fn load(files: &[SourceFile], base: &Inventory) -> Inventory {
    match files::read(files, base) {
        Ok((inventory, warnings)) => {
            // The example has keys of teams that nothing looks at yet, which is said.
            let others: Vec<Diagnostic> =
                warnings.into_iter().filter(|found| !found.message.ends_with("of a team does nothing yet")).collect();
            assert_eq!(shown(&others, files), Vec::<String>::new());
            inventory
        }
        Err(found) => panic!("{:#?}", shown(&found, files)),
    }
}

fn load_yaml(text: &str) -> Inventory {
    load(&[file("cmdb.yaml", text)], &Inventory::default())
}

fn findings(files: &[SourceFile]) -> Vec<String> {
    match files::read(files, &Inventory::default()) {
        Ok((_, warnings)) => shown(&warnings, files),
        Err(found) => shown(&found, files),
    }
}

fn id(inventory: &Inventory, no: u32) -> &str {
    &inventory.items[&CiNo(no)].id
}

#[test]
fn the_example_of_the_contract_is_read_as_it_stands() {
    let inventory = load_yaml(CONTRACT_EXAMPLE);
    assert_eq!((0..4).map(|no| id(&inventory, no)).collect::<Vec<_>>(), ["db-1", "db-pool", "shop", "sw-1"], "numbers follow ids");
    assert_eq!(inventory.next_no, 4);
    let cmdb = Cmdb::build(inventory, 3);
    let ci = |name| cmdb.ci(cmdb.find(name).unwrap()).unwrap();
    assert_eq!((ci("sw-1").owner.as_str(), ci("sw-1").criticality, ci("sw-1").labels.get("site")), ("network", Level::High, "ber"));
    assert_eq!((ci("db-1").criticality, ci("db-1").min_up, ci("db-1").environment.as_str()), (Level::Medium, MinUp::Count(1), ""));
    let relations: Vec<_> = ci("db-1").relations.iter().map(|edge| (edge.relation, edge.to.as_str())).collect();
    assert_eq!(relations, [(Relation::DependsOn, "sw-1"), (Relation::MemberOf, "db-pool")], "by the ids as written there");
    assert_eq!(cmdb.team("NETWORK").unwrap().lead, "anna");
    assert_eq!(cmdb.person("Anna").unwrap().mail, ["anna@example.org"]);
    assert_eq!(cmdb.contract_covering(cmdb.find("sw-1").unwrap()).unwrap().vendor, "ACME");
    assert_eq!(cmdb.contract_covering(cmdb.find("db-1").unwrap()), None);
}

#[test]
fn csv_files_say_the_same_as_yaml() {
    let files = [
        file("people.csv", "id,mail\r\nanna,anna@example.org\r\n"),
        file(
            "org/teams.csv",
            "\u{feff}id,mail,lead,oncall,calendar,zone\nnetwork,net@example.org,anna,network,office,Europe/Berlin\ndba,,,,,\n",
        ),
        file(
            "items.csv",
            "id,class,owner,criticality,environment,aliases,labels,min_up,tier,stakeholders,relations,note,domain\n\
             sw-1,switch,network,high,production,10.0.0.1,site=ber\n\
             db-1,host,dba,,,,,,,,depends_on:sw-1; member_of:db-pool,\"old, replace\",shops\n\
             \n\
             db-pool,cluster,,,,,,1\n\
             shop,service,,high,,,,,gold,shop@example.org,runs_on:db-pool,,",
        ),
        file("contracts.csv", "id,vendor,mail,until,notice,covers\nacme-net,ACME,noc@acme.example,2027-06-30,90d,sw-1"),
    ];
    assert_eq!(load(&files, &Inventory::default()), load_yaml(CONTRACT_EXAMPLE));
}

#[test]
fn a_csv_file_that_was_cut_off_in_a_row_and_a_relation_to_nothing_are_refused() {
    let head = "id,class,owner,relations\n";
    for (rows, fault) in [
        ("a,host,net,\nb,host", "the file ends in this row, which has 2 cells of 4"),
        ("a,host,net,depends_on:\n", "a relation that leads nowhere"),
        ("a,host,net,member_of\n", "a relation that leads nowhere"),
    ] {
        let text = findings(&[file("items.csv", &format!("{head}{rows}"))]).join("\n");
        assert!(text.contains(fault), "{rows:?}: {text}");
    }
}

#[test]
fn csv_cells_hold_lists_quotes_and_ids_with_colons() {
    let inventory = load(
        &[file(
            "items.csv",
            "id,aliases,labels,note,relations\n\
             \"say \"\"hi\"\"\", a ;b; ;c ,k=v;k2=a=b,\"two\nlines\",\n\
             host:9100,,,,\"depends_on:say \"\"hi\"\"\"\n\
             x,,,,connects_to:host:9100\n",
        )],
        &Inventory::default(),
    );
    let said = inventory.items.values().find(|ci| ci.id == "say \"hi\"").unwrap();
    assert_eq!(said.aliases, ["a", "b", "c"]);
    assert_eq!(said.labels.iter().collect::<Vec<_>>(), [("k", "v"), ("k2", "a=b")]);
    assert_eq!(said.note, "two\nlines");
    let x = inventory.items.values().find(|ci| ci.id == "x").unwrap();
    assert_eq!(x.relations[0].to, "host:9100");
}

#[test]
fn every_fault_is_reported_with_its_place() {
    let cases: &[(&str, &[&str])] = &[
        ("items: [{id: a}, {id: b, alias: [c]}]", &["f.yaml:1:26 unknown key `alias` in a CI [did you mean `aliases`?]"]),
        ("itmes: []", &["f.yaml:1:1 unknown key `itmes` in a CMDB file [did you mean `items`?]"]),
        ("items: [{class: host}]", &["f.yaml:1:9 a CI needs `id`"]),
        ("items: [{id: a}, {id: A}]", &["f.yaml:1:23 the name `A` belongs to two CIs, `a` and `A` [here again]"]),
        (
            "items:\n- {id: a, aliases: [x, X, A]}\n- {id: b, aliases: [x]}\n- {id: c, aliases: [B]}",
            &[
                "f.yaml:3:21 the name `x` belongs to two CIs, `a` and `b` [here again]",
                "f.yaml:4:21 the name `B` belongs to two CIs, `b` and `c` [here again]",
            ],
        ),
        (
            "items: [{id: sw-10}, {id: db, relations: [{depends_on: sw10}, {dependson: sw-10}, {runs_on: DB}]}]",
            &[
                "f.yaml:1:56 unknown item `sw10` [did you mean `sw-10`?]",
                "f.yaml:1:64 unknown key `dependson` in a relation [did you mean `depends_on`?]",
                "f.yaml:1:93 `db` runs on itself",
            ],
        ),
        ("teams: [{id: network}]\nitems: [{id: a, owner: netwrok}]", &["f.yaml:2:24 unknown team `netwrok` [did you mean `network`?]"]),
        ("people: [{id: anna}]\nteams: [{id: t, lead: ana}]", &["f.yaml:2:23 unknown person `ana` [did you mean `anna`?]"]),
        ("people: [{id: a}, {id: a}]", &["f.yaml:1:24 a second person has the id `a` [here again]"]),
        ("teams: [{id: t}, {id: T}]", &["f.yaml:1:23 a second team has the id `T` [here again]"]),
        ("items: [{id: a, criticality: hihg}]", &["f.yaml:1:30 unknown level `hihg` [known are high, medium and low]"]),
        (
            "items: [{id: a, min_up: 0}, {id: b, min_up: 101%}, {id: c, min_up: many}, {id: d, min_up: 0%}]",
            &[
                "f.yaml:1:25 a group of which none must be up never fails",
                "f.yaml:1:45 101% of the members cannot be up",
                "f.yaml:1:68 expected a number of members, found `many`",
                "f.yaml:1:91 0% of the members cannot be up",
            ],
        ),
        ("items: [{id: a, min_up: 2}]", &["f.yaml:1:25 `a` has `min_up` and no members"]),
        (
            "items: [{id: a, min_up: 2}, {id: b, relations: [{member_of: a}, {member_of: A}]}]",
            &["f.yaml:1:25 warning: `a` needs 2 members up and has 1 [the first member that fails takes it down]"],
        ),
        ("teams: [{id: t, zone: Europe/Berln}]", &["f.yaml:1:23 unknown zone `Europe/Berln` [did you mean `Europe/Berlin`?]"]),
        (
            "contracts: [{id: c, until: 2027-02-30, notice: 90, covers: [nothing]}]",
            &[
                "f.yaml:1:28 `2027-02-30` is no day",
                "f.yaml:1:48 `90` is no duration [expected a duration]",
                "f.yaml:1:61 unknown item `nothing`",
            ],
        ),
        (
            "items: [{id: a, class: Service}]",
            &["f.yaml:1:24 warning: the class `Service` is not `service`, and only that is what people consume"],
        ),
        (
            "items: [{id: ''}, {id: \"a\\nb\"}, {id: \"c\\u202e\"}]",
            &[
                "f.yaml:1:14 a name is empty",
                "f.yaml:1:24 the name `a b` holds a line end, a control character or blanks that nobody sees",
                "f.yaml:1:38 the name `c` holds a line end, a control character or blanks that nobody sees",
            ],
        ),
        ("items: [a]", &["f.yaml:1:9 expected a CI: a mapping with `key: value`, found `a`"]),
    ];
    for (text, expected) in cases {
        assert_eq!(&findings(&[file("f.yaml", text)]), expected, "{text}");
    }
}

#[test]
fn an_address_is_one_plain_address() {
    let good = ["a@b", "first.last+tag@mail.example.org", "büro@exämple.org", "o'neil@example.org"];
    let bad = [
        ("", "it has no @"),
        ("net", "it has no @"),
        ("a@b@c", "it has more than one @"),
        ("a@b\\nBcc: x", "it holds a control character"),
        ("a b@c", "it holds a blank or one of < > ( ) [ ] \\ , ; : \""),
        ("Net <net@example.org>", "it holds a blank or one of < > ( ) [ ] \\ , ; : \""),
        ("a@b\\u202e", "it holds a blank or one of < > ( ) [ ] \\ , ; : \""),
        ("a@b,c", "it holds a blank or one of < > ( ) [ ] \\ , ; : \""),
        ("@b", "something is missing beside the @"),
        ("a@", "something is missing beside the @"),
        ("a@.b", "no mail server takes it"),
    ];
    for address in good {
        assert_eq!(findings(&[file("f.yaml", &format!("people: [{{id: a, mail: \"{address}\"}}]"))]), Vec::<String>::new());
    }
    for (address, why) in bad {
        let found = findings(&[file("f.yaml", &format!("people: [{{id: a, mail: [\"{address}\"]}}]"))]);
        assert_eq!(found.len(), 1, "{address}");
        assert!(found[0].ends_with(why), "{address}: {found:?}");
    }
}

#[test]
fn faults_in_csv_stand_at_their_cells() {
    let cases: &[(&str, &str, &[&str])] = &[
        ("items.csv", "id,clas\na,host", &["items.csv:1:4 unknown column `clas` in a CI [did you mean `class`?]"]),
        ("items.csv", "class\nhost\nhost", &["items.csv:1:1 a CI needs `id`, and no column is named so"]),
        ("items.csv", "id,id\na,b", &["items.csv:1:4 the column `id` is there twice"]),
        ("items.csv", "id,class\na,host,x", &["items.csv:2:1 this row has 3 cells, and the header 2"]),
        ("items.csv", "id,class\na,\"host", &["items.csv:2:3 the quote that begins here is never closed"]),
        ("items.csv", "id,class\na,\"ho\"st", &["items.csv:2:7 something stands between the closing quote and the next comma"]),
        ("items.csv", "id,class\n,host", &["items.csv:2:1 a CI needs `id`"]),
        (
            "items.csv",
            "id,relations,labels\nsw-1,,\ndb-1,\"member_of:db; depends_on:sw-2\",\n",
            &["items.csv:3:17 unknown item `db` [did you mean `db-1`?]", "items.csv:3:32 unknown item `sw-2` [did you mean `sw-1`?]"],
        ),
        ("items.csv", "id,relations\na,needs:b", &["items.csv:2:3 unknown key `needs` in a relation"]),
        ("teams.csv", "id,mail\nt,a@example.org;b", &["teams.csv:2:17 `b` is no mail address: it has no @"]),
        ("notes.txt", "anything", &["notes.txt:1:1 warning: this file is not read: it is neither YAML nor CSV"]),
        ("empty.csv", "", &[]),
        ("empty.yaml", "# nothing yet\n", &[]),
    ];
    for (path, text, expected) in cases {
        assert_eq!(&findings(&[file(path, text)]), expected, "{text}");
    }
}

#[test]
fn a_name_in_two_files_names_both_places() {
    let files = [file("a.yaml", "items:\n  - {id: sw-1}\n"), file("b.csv", "id,aliases\nsw-2,x;SW-1\n")];
    let found = files::read(&files, &Inventory::default()).unwrap_err();
    assert_eq!(shown(&found, &files), ["b.csv:2:8 the name `SW-1` belongs to two CIs, `sw-1` and `sw-2` [here again]"]);
    let help = found[0].help.as_deref().unwrap();
    assert_eq!(help, "it stands first at a.yaml:2:10; ids and aliases ignore case, so rename one or leave it out");
}

#[test]
fn a_file_that_is_there_twice_is_not_answered_with_a_flood() {
    let text: String =
        std::iter::once("id\n".to_owned()).chain((0..limits::CMDB_FAULTS_MAX + 500).map(|n| format!("host-{n}\n"))).collect();
    let found = findings(&[file("a.csv", &text), file("b.csv", &text)]);
    assert_eq!(found.len(), limits::CMDB_FAULTS_MAX + 1);
    assert_eq!(found[0], "a.csv:1:1 500 further contradictions between records are not listed");
}

#[test]
fn reading_the_same_files_again_changes_nothing() {
    let files = [file("cmdb.yaml", CONTRACT_EXAMPLE)];
    let first = load(&files, &Inventory::default());
    let second = load(&files, &first);
    assert_eq!(first, second);
    assert!(diff(&first, &second).is_empty());
    assert_eq!(diff(&first, &second).summary(), "nothing changes");
}

#[test]
fn numbers_stay_with_ids_and_are_never_given_twice() {
    let first = load_yaml("items: [{id: b}, {id: d}, {id: c}]");
    let second = load(&[file("cmdb.yaml", "items: [{id: a}, {id: B}, {id: d}]")], &first);
    let numbers: Vec<(u32, &str)> = second.items.iter().map(|(no, ci)| (no.0, ci.id.as_str())).collect();
    assert_eq!(numbers, [(0, "B"), (2, "d"), (3, "a")], "c is gone, a is new");
    let third = load(&[file("cmdb.yaml", "items: [{id: c}, {id: d}]")], &second);
    let numbers: Vec<(u32, &str)> = third.items.iter().map(|(no, ci)| (no.0, ci.id.as_str())).collect();
    assert_eq!((numbers, third.next_no), (vec![(2, "d"), (4, "c")], 5), "c has come back as another item");
}

/// Two sources, with what each brings.
fn two<'a>(files: &'a [SourceFile], netbox: &'a [SourceFile]) -> [Source<'a>; 2] {
    [Source { name: "files", files }, Source { name: "netbox", files: netbox }]
}

#[test]
fn sources_are_one_cmdb_whose_items_know_who_brought_them() {
    let files = [file("cmdb.yaml", "teams: [{id: net}]\nitems: [{id: farm, min_up: 1}, {id: b, relations: [{depends_on: c-alias}]}]")];
    let netbox = [file("netbox:items.csv", "id,aliases,owner,relations\nc,c-alias,net,member_of:farm\n")];
    let (all, warnings) = files::read_sources(&two(&files, &netbox), &Inventory::default()).unwrap();
    assert_eq!(warnings, []);
    let rows: Vec<(&str, &str, &str)> = all.items.values().map(|ci| (ci.id.as_str(), ci.source.as_str(), ci.owner.as_str())).collect();
    assert_eq!(rows, [("b", "files", ""), ("c", "netbox", "net"), ("farm", "files", "")]);
    assert_eq!(all.items[&CiNo(0)].relations[0].to, "c", "by its id, whatever alias names it");

    let without = [file("cmdb.yaml", "teams: [{id: net}]\nitems: [{id: farm}]")];
    let (fewer, _) = files::read_sources(&two(&without, &netbox), &all).unwrap();
    let difference = diff(&all, &fewer);
    assert_eq!((difference.items.retired.as_slice(), difference.items.changed.len()), (&["b".to_owned()][..], 0));
    assert_eq!(fewer.items.keys().copied().collect::<Vec<_>>(), [CiNo(1), CiNo(2)], "numbers stay");
}

#[test]
fn what_two_sources_claim_is_a_fault_that_names_both_places() {
    let files = [file("cmdb.yaml", "people: [{id: anna}]\nitems:\n  - {id: a}\n  - {id: b, aliases: [10.0.0.1]}")];
    let netbox = [file(
        "netbox:items.yaml",
        "people: [{id: Anna}]\nitems:\n  - {id: A}\n  - {id: c, aliases: [x, 10.0.0.1]}\n  - {id: d, relations: [{depends_on: gone}]}",
    )];
    let found = files::read_sources(&two(&files, &netbox), &Inventory::default()).unwrap_err();
    let sources = [files[0].clone(), netbox[0].clone()];
    assert_eq!(
        shown(&found, &sources),
        [
            "netbox:items.yaml:1:15 a second person has the id `Anna` [here again]",
            "netbox:items.yaml:3:10 the name `A` belongs to two CIs, `a` and `A` [here again]",
            "netbox:items.yaml:4:26 the name `10.0.0.1` belongs to two CIs, `b` and `c` [here again]",
            "netbox:items.yaml:5:38 unknown item `gone`",
        ]
    );
    let firsts: Vec<&str> = found.iter().filter_map(|fault| fault.help.as_deref()?.split(';').next()).collect();
    assert_eq!(
        firsts[..3],
        ["it stands first at cmdb.yaml:1:15", "it stands first at cmdb.yaml:3:10", "it stands first at cmdb.yaml:4:23"]
    );
}

#[test]
fn a_difference_names_the_fields_that_changed() {
    let old = load_yaml(CONTRACT_EXAMPLE);
    let text = CONTRACT_EXAMPLE
        .replace("owner: Network, criticality: high", "criticality: low")
        .replace("  - {id: shop, ", "  - {id: store, ")
        .replace("aliases: [10.0.0.1], labels: {site: ber}", "aliases: [10.0.0.1], labels: {site: mun}")
        .replace("{id: anna, mail: [anna@example.org]}", "{id: anna, mail: [anna@example.net]}, {id: bert}")
        .replace("}, {id: dba}]", "}, {id: dba, mail: dba@example.org}]");
    let new = load(&[file("cmdb.yaml", &text)], &old);
    let diff = diff(&old, &new);
    let rows: Vec<String> =
        diff.rows().into_iter().map(|row| format!("{} {} {} {}", row.kind, row.id, row.what, row.details).trim_end().to_owned()).collect();
    assert_eq!(
        rows,
        [
            "CI store added",
            "CI sw-1 changed owner: network → nothing, criticality: high → low, labels: site=ber → site=mun",
            "CI shop retired",
            "team dba changed mail: nothing → dba@example.org",
            "person bert added",
            "person anna changed mail: anna@example.org → anna@example.net",
        ]
    );
    assert_eq!(diff.summary(), "1 CI added, 1 changed, 1 retired; 1 team changed; 1 person added, 1 changed");
    assert_eq!((diff.written, diff.removed), (vec![CiNo(3), CiNo(4)], vec![CiNo(2)]));
}

#[test]
fn an_import_that_retires_much_needs_a_confirmation() {
    let of = |range: std::ops::Range<usize>| -> String {
        std::iter::once("id\n".to_owned()).chain(range.map(|n| format!("host-{n}\n"))).collect()
    };
    // (items before, items after, whether it is refused)
    let cases = [(100, 80, false), (100, 79, true), (12, 2, false), (12, 1, true), (10, 0, false), (1000, 800, false), (0, 50, false)];
    for (before, after, is_refused) in cases {
        let old = load(&[file("a.csv", &of(0..before))], &Inventory::default());
        let new = load(&[file("a.csv", &of(0..after))], &old);
        assert_eq!(diff(&old, &new).guard(&old).is_err(), is_refused, "{before} items become {after}");
    }
    let old = load(&[file("a.csv", &of(0..100))], &Inventory::default());
    let refusal = diff(&old, &load(&[], &old)).guard(&old).unwrap_err();
    assert_eq!(refusal.to_string(), "this would retire 100 of the 100 CIs of source `files`, more than 20%; confirm it if that is meant");
    // Who hears of anything may not vanish with a file that was cut, either.
    for (what, name) in [("teams", "teams.csv"), ("people", "people.csv")] {
        let record = |n: usize| if what == "people" { format!("a-{n},a-{n}@example.org\n") } else { format!("a-{n},\n") };
        let of = |count: usize| std::iter::once("id,mail\n".to_owned()).chain((0..count).map(record)).collect::<String>();
        for (before, after, is_refused) in [(15, 12, false), (15, 11, true), (3, 1, false), (3, 0, true)] {
            let old = load(&[file(name, &of(before))], &Inventory::default());
            let refused = diff(&old, &load(&[file(name, &of(after))], &old)).guard(&old);
            assert_eq!(refused.is_err(), is_refused, "{before} {what} become {after}: {refused:?}");
        }
    }
}

#[test]
fn rule_tests_bring_their_own_items() {
    let read = |text: &str| {
        let source = file("tests.yaml", text);
        let root = parse(&source, &mut Vec::new(), &mut watchkeeper_engine::source::Unread::default()).unwrap();
        let reading = Reading::new(&source);
        let inventory = read_inline(root.get("cmdb").unwrap(), &reading);
        (inventory, shown(&reading.finish(), std::slice::from_ref(&source)))
    };
    let (inventory, found) =
        read("cmdb: {teams: [{id: network, mail: [net@example.org]}], items: [{id: sw-1, class: switch, owner: network}]}");
    assert_eq!(found, Vec::<String>::new());
    assert_eq!(inventory.unwrap().items[&CiNo(0)].owner, "network");
    let (inventory, found) = read("cmdb: {items: [{id: sw-1, owner: network}]}");
    assert_eq!((inventory, found), (None, vec!["tests.yaml:1:34 unknown team `network`".to_owned()]));
}

#[test]
fn the_schema_offers_the_keys_of_an_item() {
    let schema = files::schema();
    let item = &schema["properties"]["items"]["items"];
    assert_eq!(item["required"], serde_json::json!(["id"]));
    assert_eq!(item["additionalProperties"], serde_json::json!(false));
    assert_eq!(item["properties"]["criticality"]["enum"], serde_json::json!(["high", "medium", "low"]));
    let relations = item["properties"]["relations"]["items"]["properties"].as_object().unwrap();
    assert_eq!(relations.keys().map(String::as_str).collect::<std::collections::BTreeSet<_>>(), Relation::WORDS.iter().copied().collect());
}

#[test]
fn a_stored_item_keeps_its_bytes() {
    let inventory = load_yaml(CONTRACT_EXAMPLE);
    let ci = &inventory.items[&CiNo(0)];
    let bytes = minicbor::to_vec(ci).unwrap();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(
        hex,
        "8f006464622d3164686f7374636462616573686f7073600160808080820081018282006473772d3182026764622d706f6f6c6c6f6c642c207265706c6163656566696c6573"
    );
    assert_eq!(&minicbor::decode::<watchkeeper_engine::cmdb::Ci>(&bytes).unwrap(), ci);
}

/// A CMDB of another shape than the shop's: what hangs on one feed, through switches and a group, up to the services.
#[test]
fn a_clinic_hangs_on_one_feed() {
    let cmdb = Cmdb::build(load_yaml(include_str!("../../fixtures/organisations/clinic/cmdb.yaml")), 1);
    assert_eq!((cmdb.len(), cmdb.services().len()), (13, 2));
    let feed = cmdb.find("FEED-A").unwrap();
    assert_eq!(cmdb.flows_to(feed).count(), 2, "the switches of both wards");
    for (name, id) in [("10.20.1.3", "esx-3"), ("sn-7741", "analyser-7")] {
        assert_eq!(cmdb.find(name), cmdb.find(id), "{name}");
        assert!(cmdb.find(id).is_some());
    }
}

fn rough_text() -> impl Strategy<Value = String> {
    let pieces = [
        "id",
        "aliases",
        "relations",
        "labels",
        "a",
        "B",
        "é",
        "\"",
        "\"\"",
        ",",
        ";",
        ":",
        "=",
        "\n",
        "\r\n",
        " ",
        "min_up",
        "50%",
        "{",
        "[",
        "- ",
        "\u{feff}",
    ];
    prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_a_file_holds_its_faults_stand_inside_it(table in rough_text(), yaml in rough_text()) {
        let files = [file("a.csv", &format!("id,aliases,relations,labels,min_up\n{table}")), file("b.csv", &table), file("c.yaml", &format!("items:\n- {{id: x}}\n- {yaml}"))];
        if let Err(found) = files::read(&files, &Inventory::default()) {
            for finding in found {
                let of = files.iter().find(|file| file.path == finding.path).unwrap();
                prop_assert!(of.text.get(finding.span.clone()).is_some(), "{:?}", finding);
            }
        }
    }
}
