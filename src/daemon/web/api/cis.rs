//! `/api/v1/cis`: items of the CMDB in force, what they carry, and what could be wrong with them.

use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::Response;

use watchkeeper_engine::cmdb::walk::{self, Reached};
use watchkeeper_engine::cmdb::{Ci, Cmdb};
use watchkeeper_engine::ids::{CiNo, Realm};
use watchkeeper_engine::model::alert::Alert;
use watchkeeper_engine::words::{Health, Level, Means};

use super::paging::asked;
use super::{no_id, record};
use crate::read::live;
use crate::view::{CausesView, CiView, ContractView, FiringView, HitView, ImpactView, Page, ReachedView, WholeCi};
use crate::web::App;
use crate::web::describe::Parameter;
use crate::web::error::ApiError;
use crate::web::query::Query;

/// Items that an answer about impact or causes lists; the rest is counted.
const REACHED_MAX: usize = 1_000;

/// Orders of the list.
const SORTS: [&str; 1] = ["id"];

/// Parameters of the list.
pub(super) const PARAMETERS: [Parameter; 7] = [
    Parameter::sort(&SORTS),
    Parameter::texts("class", "Classes."),
    Parameter::texts("owner", "Teams."),
    Parameter::texts("environment", "Environments."),
    Parameter::words("criticality", "Criticalities.", Level::WORDS),
    Parameter::texts("source", "Sources."),
    Parameter::text("q", "A part of the id, an alias or the note."),
];

/// `GET /api/v1/cis`.
pub(super) async fn list(State(app): State<App>, uri: Uri) -> Result<axum::Json<Page<CiView>>, ApiError> {
    let (query, paging) = asked(&uri, &PARAMETERS)?;
    let criticalities = query.words("criticality", Level::WORDS, Level::from_word)?;
    let (classes, owners, environments, sources) =
        (query.any_of("class"), query.any_of("owner"), query.any_of("environment"), query.any_of("source"));
    let sought = query.sought();
    let world = app.world();
    let found = world.cmdb.items().filter(|ci| {
        classes.has(&ci.class)
            && owners.has(&ci.owner)
            && environments.has(&ci.environment)
            && sources.has(&ci.source)
            && (criticalities.is_empty() || criticalities.contains(&ci.criticality))
            && sought.is_in([ci.id.as_str(), &ci.note].into_iter().chain(ci.aliases.iter().map(String::as_str)))
    });
    paging.of_all(found.map(|ci| (ci.id.to_lowercase().into_bytes(), ci)), CiView::of)
}

/// `GET /api/v1/cis/ID`: by id or alias.
pub(super) async fn show(State(app): State<App>, Path(id): Path<String>, uri: Uri) -> Result<Response, ApiError> {
    Query::of(&uri, &[])?;
    let world = app.world();
    let (no, ci) = find(&world.cmdb, &id)?;
    let now = live::ci(&app.writer, no).await?;
    let named = |nos: &mut dyn Iterator<Item = CiNo>| nos.map(|no| world.cmdb.id(no).to_owned()).collect::<Vec<_>>();
    let contract = world.cmdb.contract_covering(no);
    let whole = WholeCi {
        ci: CiView::of(ci),
        health: now.health,
        alerts: now.alerts,
        incidents: now.incidents.into_iter().collect(),
        members: named(&mut world.cmdb.members_of(no)),
        groups: named(&mut world.cmdb.groups_of(no)),
        services: named(&mut walk::carried(&world.cmdb, no).into_iter()),
        contract: contract.map(|contract| ContractView { id: contract.id.clone(), vendor: contract.vendor.clone() }),
    };
    Ok(record(world.cmdb.version(), &whole))
}

/// `GET /api/v1/cis/ID/impact`: what would be affected if it were down, with all else as it is.
pub(super) async fn impact(State(app): State<App>, Path(id): Path<String>, uri: Uri) -> Result<axum::Json<ImpactView>, ApiError> {
    Query::of(&uri, &[])?;
    let (no, id) = {
        let world = app.world();
        let (no, ci) = find(&world.cmdb, &id)?;
        (no, ci.id.clone())
    };
    let answer = app
        .writer
        .ask(move |state, world, _| {
            let mut health = state.health(&Realm::MAIN).clone();
            health.add_down(&world.cmdb, no);
            let services: Vec<HitView> = walk::impact(&world.cmdb, &health, &[(no, Means::Down)])
                .iter()
                .map(|hit| service(&world.cmdb, hit.service, hit.health))
                .collect();
            let reached = walk::downstream(&world.cmdb, &health, no);
            (services, way(&world.cmdb, &reached), reached.len())
        })
        .await?;
    let (services, items, total) = answer;
    Ok(axum::Json(ImpactView { ci: id, services, items, items_total: total as u64 }))
}

/// `GET /api/v1/cis/ID/causes`: the CIs whose fault would reach it, nearest first, with what fires on each.
pub(super) async fn causes(State(app): State<App>, Path(id): Path<String>, uri: Uri) -> Result<axum::Json<CausesView>, ApiError> {
    Query::of(&uri, &[])?;
    let (no, id) = {
        let world = app.world();
        let (no, ci) = find(&world.cmdb, &id)?;
        (no, ci.id.clone())
    };
    let (items, total) = app
        .writer
        .ask(move |state, world, _| {
            let reached = walk::upstream(&world.cmdb, state.health(&Realm::MAIN), no);
            let mut items = way(&world.cmdb, &reached);
            for (item, reached) in items.iter_mut().zip(&reached) {
                let firing = |alert: &Alert| FiringView {
                    id: alert.id,
                    name: alert.name.clone(),
                    severity: alert.severity,
                    since: alert.started_at,
                };
                item.alerts = Some(state.alerts_on(&Realm::MAIN, reached.ci).map(firing).collect());
            }
            (items, reached.len())
        })
        .await?;
    Ok(axum::Json(CausesView { ci: id, items, items_total: total as u64 }))
}

fn find<'a>(cmdb: &'a Cmdb, id: &str) -> Result<(CiNo, &'a Ci), ApiError> {
    let no = cmdb.find(id).ok_or_else(|| no_id("CI", id))?;
    cmdb.ci(no).map(|ci| (no, ci)).ok_or_else(|| no_id("CI", id))
}

fn service(cmdb: &Cmdb, no: CiNo, health: Health) -> HitView {
    let ci = cmdb.ci(no);
    HitView {
        id: cmdb.id(no).to_owned(),
        tier: ci.map(|ci| ci.tier.clone()).filter(|tier| !tier.is_empty()),
        criticality: ci.map(|ci| ci.criticality),
        health,
    }
}

fn way(cmdb: &Cmdb, reached: &[Reached]) -> Vec<ReachedView> {
    let item = |reached: &Reached| ReachedView {
        ci: cmdb.id(reached.ci).to_owned(),
        hops: u64::from(reached.hops),
        from: cmdb.id(reached.from).to_owned(),
        relation: reached.relation,
        alerts: None,
    };
    reached.iter().take(REACHED_MAX).map(item).collect()
}
