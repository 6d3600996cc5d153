//! `/api/v1/cis`: items of the CMDB in force, what they carry, and what could be wrong with them.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::Response;

use watchkeeper_engine::cmdb::walk::{self, Reached};
use watchkeeper_engine::cmdb::{Ci, Cmdb};
use watchkeeper_engine::ids::{AlertId, CiNo, IncidentId, Realm};
use watchkeeper_engine::model::alert::Alert;
use watchkeeper_engine::words::{Health, Level, Means};

use super::paging::asked;
use super::{no_id, record};
use crate::read::{ReadError, live};
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
pub(super) const PARAMETERS: [Parameter; 8] = [
    Parameter::sort(&SORTS),
    Parameter::texts("class", "Classes."),
    Parameter::texts("owner", "Teams."),
    Parameter::texts("environment", "Environments."),
    Parameter::words("criticality", "Criticalities.", Level::WORDS),
    Parameter::words("health", "Health, as the worst realm sees it.", Health::WORDS),
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
    let healths = query.words("health", Health::WORDS, Health::from_word)?;
    let published = app.current.load_full();
    let health = |ci: &Ci| published.board.health.health(ci.no);
    let found = published.world.cmdb.items().filter(|ci| {
        (healths.is_empty() || healths.contains(&health(ci)))
            && classes.has(&ci.class)
            && owners.has(&ci.owner)
            && environments.has(&ci.environment)
            && sources.has(&ci.source)
            && (criticalities.is_empty() || criticalities.contains(&ci.criticality))
            && sought.is_in([ci.id.as_str(), &ci.note].into_iter().chain(ci.aliases.iter().map(String::as_str)))
    });
    paging.of_all(found.map(|ci| (ci.id.to_lowercase().into_bytes(), ci)), |ci| CiView::of(ci, health(ci)))
}

/// `GET /api/v1/cis/ID`: by id or alias.
pub(super) async fn show(State(app): State<App>, Path(id): Path<String>, uri: Uri) -> Result<Response, ApiError> {
    Query::of(&uri, &[])?;
    let no = find(&app.world().cmdb, &id)?.0;
    let alerts = live::alerts_on(&app.writer, vec![no]).await?.swap_remove(0);
    // What fires is as of now; all else is as of a commit that has it.
    let published = app.current.load_full();
    let (cmdb, board) = (&published.world.cmdb, &published.board);
    let (no, ci) = find(cmdb, &id)?;
    let health = board.health.health(no);
    let incidents: BTreeSet<IncidentId> =
        alerts.iter().filter_map(|id| board.alerts.get(*id)?.incident()).filter(|id| board.incidents.get(*id).is_some()).collect();
    let named = |nos: &mut dyn Iterator<Item = CiNo>| nos.map(|no| cmdb.id(no).to_owned()).collect::<Vec<_>>();
    let contract = cmdb.contract_covering(no);
    let whole = WholeCi {
        ci: CiView::of(ci, health),
        alerts,
        incidents: incidents.into_iter().collect(),
        members: named(&mut cmdb.members_of(no)),
        groups: named(&mut cmdb.groups_of(no)),
        services: named(&mut walk::carried(cmdb, no).into_iter()),
        contract: contract.map(|contract| ContractView { id: contract.id.clone(), vendor: contract.vendor.clone() }),
    };
    Ok(record(cmdb.version(), &whole))
}

/// `GET /api/v1/cis/ID/impact`: what would be affected if it were down, with all else as it is.
pub(super) async fn impact(State(app): State<App>, Path(id): Path<String>, uri: Uri) -> Result<axum::Json<ImpactView>, ApiError> {
    Query::of(&uri, &[])?;
    let published = app.current.load_full();
    let no = find(&published.world.cmdb, &id)?.0;
    let view = aside(move || {
        let cmdb = &published.world.cmdb;
        let mut health = published.board.health.map(cmdb, &Realm::MAIN);
        health.add_down(cmdb, no);
        let hits = walk::impact(cmdb, &health, &[(no, Means::Down)]);
        let reached = walk::downstream(cmdb, &health, no);
        ImpactView {
            ci: cmdb.id(no).to_owned(),
            services: hits.iter().map(|hit| service(cmdb, hit.service, hit.health)).collect(),
            items: way(cmdb, &reached),
            items_total: reached.len() as u64,
        }
    });
    Ok(axum::Json(view.await?))
}

/// `GET /api/v1/cis/ID/causes`: the CIs whose fault would reach it, nearest first, with what fires on each.
pub(super) async fn causes(State(app): State<App>, Path(id): Path<String>, uri: Uri) -> Result<axum::Json<CausesView>, ApiError> {
    Query::of(&uri, &[])?;
    let published = app.current.load_full();
    let no = find(&published.world.cmdb, &id)?.0;
    let (mut view, cis) = aside(move || {
        let (cmdb, board) = (&published.world.cmdb, &published.board);
        let reached = walk::upstream(cmdb, &board.health.map(cmdb, &Realm::MAIN), no);
        let items = way(cmdb, &reached);
        let cis: Vec<CiNo> = reached.iter().take(items.len()).map(|reached| reached.ci).collect();
        (CausesView { ci: cmdb.id(no).to_owned(), items, items_total: reached.len() as u64 }, cis)
    })
    .await?;
    let firing = live::alerts_on(&app.writer, cis).await?;
    let rows = app.records.alerts(firing.iter().flatten().copied().collect()).await?;
    let alerts: BTreeMap<AlertId, &Alert> = rows.iter().map(|row| (row.alert.id, &row.alert)).collect();
    for (item, firing) in view.items.iter_mut().zip(firing) {
        let firing = firing.iter().filter_map(|id| alerts.get(id)).filter(|alert| alert.realm.is_main());
        item.alerts = Some(
            firing
                .map(|alert| FiringView { id: alert.id, name: alert.name.clone(), severity: alert.severity, since: alert.started_at })
                .collect(),
        );
    }
    Ok(axum::Json(view))
}

/// A walk over the CMDB: some ten thousand items are too many for the runtime's own threads.
async fn aside<T: Send + 'static>(walk: impl FnOnce() -> T + Send + 'static) -> Result<T, ApiError> {
    Ok(tokio::task::spawn_blocking(walk).await.map_err(|_| ReadError::Stopping)?)
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
