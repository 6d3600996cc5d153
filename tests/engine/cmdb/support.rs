//! Items in one line each, numbered in the order they are given.

use watchkeeper_engine::cmdb::{Ci, Cmdb, Edge, Inventory, MinUp};
use watchkeeper_engine::ids::CiNo;
use watchkeeper_engine::text::Labels;
use watchkeeper_engine::words::{Level, Relation};

pub(super) struct Item<'a> {
    ci: Ci,
    relations: Vec<(Relation, &'a str)>,
}

pub(super) fn item<'a>(id: &str) -> Item<'a> {
    let ci = Ci {
        no: CiNo(0),
        id: id.to_owned(),
        class: "host".to_owned(),
        owner: String::new(),
        domain: String::new(),
        environment: String::new(),
        criticality: Level::Medium,
        tier: String::new(),
        aliases: Vec::new(),
        labels: Labels::default(),
        stakeholders: Vec::new(),
        min_up: MinUp::Count(1),
        relations: Vec::new(),
        note: String::new(),
        source: "files".to_owned(),
    };
    Item { ci, relations: Vec::new() }
}

impl<'a> Item<'a> {
    pub(super) fn service(mut self, criticality: Level) -> Self {
        self.ci.class = "service".to_owned();
        self.ci.criticality = criticality;
        self
    }

    pub(super) fn alias(mut self, alias: &str) -> Self {
        self.ci.aliases.push(alias.to_owned());
        self
    }

    pub(super) fn min_up(mut self, min_up: MinUp) -> Self {
        self.ci.min_up = min_up;
        self
    }

    pub(super) fn depends_on(self, to: &'a str) -> Self {
        self.related(Relation::DependsOn, to)
    }

    pub(super) fn runs_on(self, to: &'a str) -> Self {
        self.related(Relation::RunsOn, to)
    }

    pub(super) fn powered_by(self, to: &'a str) -> Self {
        self.related(Relation::PoweredBy, to)
    }

    pub(super) fn contains(self, to: &'a str) -> Self {
        self.related(Relation::Contains, to)
    }

    pub(super) fn connects_to(self, to: &'a str) -> Self {
        self.related(Relation::ConnectsTo, to)
    }

    pub(super) fn member_of(self, to: &'a str) -> Self {
        self.related(Relation::MemberOf, to)
    }

    fn related(mut self, relation: Relation, to: &'a str) -> Self {
        self.relations.push((relation, to));
        self
    }
}

pub(super) fn cmdb<'a>(items: impl IntoIterator<Item = Item<'a>>) -> Cmdb {
    let mut inventory = Inventory::default();
    for mut item in items {
        item.ci.no = CiNo(inventory.next_no);
        item.ci.relations = item.relations.iter().map(|(relation, to)| Edge { relation: *relation, to: (*to).to_owned() }).collect();
        inventory.items.insert(item.ci.no, item.ci);
        inventory.next_no += 1;
    }
    Cmdb::build(inventory, 1)
}
