//! The statements that read the database.
//!
//! None of them looks at every job: each has an index in the order it asks for, and a limit.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use bits_core::file::{ClosingFile, DestinationTag, File, FileIndex};
use bits_core::job::{Job, JobId, Owner, Progress};
use bits_core::ports::{
    Cursor, Filter, ID_START_MIN, Page, QueuedJob, QueuedPlace, SealedSecret, StateName, StoreError,
};
use bits_core::time::Timestamp;
use bits_core::units::Bytes;
use rusqlite::types::{Null, Value};
use rusqlite::{Connection, Params, Row, params, params_from_iter};

use super::number::{BY_ID, NUMBER_OF_ID, Number};
use crate::rows::{
    self, CLOSING_COLUMNS, Columns, FILE_COLUMNS, JOB_COLUMNS, PROGRESS_COLUMNS, QUEUED_COLUMNS,
    SECRET_COLUMNS, failed, word_of_state,
};

/// Up to so many jobs whose ids begin alike are sorted by time; with more, those of the owner are
/// gone through in order of time until the page is full.
const SORTED_MAX: usize = 4096;

pub(super) fn job(connection: &Connection, id: JobId) -> Result<Option<(Job, Progress)>, StoreError> {
    let sql = format!("SELECT {JOB_COLUMNS}, {PROGRESS_COLUMNS} FROM jobs WHERE {BY_ID}");
    Ok(query(connection, &sql, params![id.0], rows::job_and_progress)?.pop())
}

/// A job that is not there has no files, and all of them have come.
pub(super) fn progress(connection: &Connection, id: JobId) -> Result<Progress, StoreError> {
    let sql = format!("SELECT {PROGRESS_COLUMNS} FROM jobs WHERE {BY_ID}");
    let progress = query(connection, &sql, params![id.0], |row| rows::progress(&mut Columns::of(row)))?.pop();
    Ok(progress.unwrap_or(Progress { bytes_total: Some(Bytes::ZERO), ..Progress::default() }))
}

pub(super) fn files(
    connection: &Connection,
    id: JobId,
    from: FileIndex,
    limit: usize,
) -> Result<Vec<File>, StoreError> {
    let sql = format!(
        "SELECT {FILE_COLUMNS} FROM files \
         WHERE job = {NUMBER_OF_ID} AND place >= ?2 ORDER BY place LIMIT ?3"
    );
    query(connection, &sql, params![id.0, from.0, as_limit(limit)], rows::file)
}

pub(super) fn closing_files(
    connection: &Connection,
    id: JobId,
    from: FileIndex,
    limit: usize,
) -> Result<Vec<ClosingFile>, StoreError> {
    let sql = format!(
        "SELECT {CLOSING_COLUMNS} FROM files \
         WHERE job = {NUMBER_OF_ID} AND place >= ?2 ORDER BY place LIMIT ?3"
    );
    query(connection, &sql, params![id.0, from.0, as_limit(limit)], rows::closing_file)
}

pub(super) fn destinations_taken(
    connection: &Connection,
    id: JobId,
    wanted: &[DestinationTag],
) -> Result<Vec<DestinationTag>, StoreError> {
    let mut taken = Vec::new();
    let Some(number) = Number::of(connection, id)? else { return Ok(taken) };
    let sought: BTreeSet<_> = wanted.iter().copied().collect();
    // The first file of a job is not in the index, as most jobs have no other; nor are those that were
    // added before there was one. They come before all others.
    let sql = "SELECT local_name, destination FROM files WHERE job = ?1 ORDER BY place";
    let mut statement = connection.prepare_cached(sql).map_err(failed("read"))?;
    let mut rows = statement.query(params![number]).map_err(failed("read"))?;
    while let Some(row) = rows.next().map_err(failed("read"))? {
        let (tag, is_on_record) = rows::destination(row)?;
        taken.extend(sought.contains(&tag).then_some(tag));
        if is_on_record {
            break;
        }
    }
    // Left to itself, the database goes through all files of the job by their places.
    let sql = "SELECT EXISTS (SELECT 1 FROM files INDEXED BY files_by_destination \
         WHERE job = ?1 AND destination = ?2 AND place > 0)";
    let mut statement = connection.prepare_cached(sql).map_err(failed("read"))?;
    for tag in wanted {
        let found = statement.query_row(params![number, rows::tag(*tag)], |row| row.get::<_, bool>(0));
        taken.extend(found.map_err(failed("read"))?.then_some(*tag));
    }
    Ok(taken)
}

pub(super) fn secrets(connection: &Connection, id: JobId) -> Result<Vec<SealedSecret>, StoreError> {
    let sql = format!("SELECT {SECRET_COLUMNS} FROM secrets WHERE job = {NUMBER_OF_ID} ORDER BY slot");
    query(connection, &sql, params![id.0], rows::secret)
}

pub(super) fn everybody(connection: &Connection) -> Result<Vec<Owner>, StoreError> {
    let sql = "SELECT DISTINCT owner FROM job_counts WHERE jobs > 0 ORDER BY owner";
    query(connection, sql, [], rows::owner)
}

pub(super) fn counts(connection: &Connection, owner: Owner) -> Result<Vec<(StateName, u64)>, StoreError> {
    let sql = "SELECT state, jobs FROM job_counts WHERE owner = ?1 AND jobs > 0 \
         AND state NOT IN ('acknowledged', 'cancelled') ORDER BY state";
    query(connection, sql, params![owner.0], rows::state_and_count)
}

pub(super) fn unfinished(connection: &Connection, each: &mut dyn FnMut(Job)) -> Result<(), StoreError> {
    query_each(connection, &unfinished_sql(), [], |row| {
        each(rows::job(&mut Columns::of(row))?);
        Ok(())
    })
}

pub(super) fn queued(
    connection: &Connection,
    after: Option<QueuedPlace>,
    limit: usize,
) -> Result<Vec<QueuedJob>, StoreError> {
    // Before the first place: priorities are not negative.
    let (priority, created, id) = after.map_or((-1_i64, 0, JobId([0; 16])), |(priority, created, id)| {
        (rows::priority_number(priority).into(), rows::time(created), id)
    });
    query(connection, &queued_sql(), params![priority, created, id.0, as_limit(limit)], rows::queued)
}

pub(super) fn retrying(
    connection: &Connection,
    after: Option<Cursor>,
    limit: usize,
) -> Result<Vec<Job>, StoreError> {
    let (created, id) = after.map_or((-1, JobId([0; 16])), |after| (rows::time(after.created), after.id));
    let read = |row: &Row<'_>| rows::job(&mut Columns::of(row));
    query(connection, &retrying_sql(), params![created, id.0, as_limit(limit)], read)
}

pub(super) fn owners(connection: &Connection, each: &mut dyn FnMut(Owner, u32)) -> Result<(), StoreError> {
    let sql = "SELECT owner, sum(jobs) FROM job_counts WHERE jobs > 0 \
         AND state NOT IN ('acknowledged', 'cancelled') GROUP BY owner";
    query_each(connection, sql, [], |row| {
        let (owner, jobs) = rows::owner_and_count(row)?;
        each(owner, jobs);
        Ok(())
    })
}

pub(super) fn live(
    connection: &Connection,
    after: Option<JobId>,
    limit: usize,
) -> Result<Vec<JobId>, StoreError> {
    let Some(after) = after else {
        return query(connection, &live_sql(ALL_GROUPS), params![Null, as_limit(limit)], rows::id);
    };
    let mut ids = query(connection, &live_sql(REST_OF_GROUP), params![after.0, as_limit(limit)], rows::id)?;
    let rest = as_limit(limit - ids.len());
    ids.extend(query(connection, &live_sql(LATER_GROUPS), params![after.0, rest], rows::id)?);
    Ok(ids)
}

pub(super) fn inactive(
    connection: &Connection,
    until: Timestamp,
    after: Option<(Timestamp, JobId)>,
    limit: usize,
) -> Result<Vec<(Timestamp, JobId)>, StoreError> {
    let (active_at, id) = after.map_or((-1, JobId([0; 16])), |(at, id)| (rows::time(at), id));
    let params = params![rows::time(until), active_at, id.0, as_limit(limit)];
    query(connection, INACTIVE, params, rows::activity)
}

pub(super) fn list(
    connection: &Connection,
    filter: &Filter,
    after: Option<Cursor>,
    limit: usize,
) -> Result<Page, StoreError> {
    let state = match filter.state.map(word_of_state) {
        // No job is in a state that there is not.
        Some(None) => return Ok(Page::default()),
        Some(Some(word)) => Some(word),
        None => None,
    };
    // One more than asked tells whether the list goes on.
    let page = Wanted {
        owner: filter.owner,
        state,
        challenged: filter.challenged,
        after,
        limit: limit.saturating_add(1),
    };
    let mut jobs = match &filter.called {
        None => page.read(connection, Selection::All)?,
        Some(text) => {
            let mut jobs = page.read(connection, Selection::Named(text))?;
            if let Some((first, last)) = ids_beginning(text) {
                let dense = is_dense(connection, first, last)?;
                jobs.extend(page.read(connection, Selection::Ids { first, last, dense })?);
            }
            jobs.sort_by(|(a, _), (b, _)| in_order(a, b));
            jobs.dedup_by_key(|(job, _)| job.id);
            jobs
        }
    };
    let goes_on = jobs.len() > limit;
    jobs.truncate(limit);
    let next = jobs.last().filter(|_| goes_on);
    let next = next.map(|(last, _)| Cursor { created: last.times.created, id: last.id });
    Ok(Page { jobs, next })
}

/// The part of a list that is wanted.
struct Wanted {
    owner: Owner,
    /// As it is written.
    state: Option<&'static str>,
    challenged: bool,
    after: Option<Cursor>,
    limit: usize,
}

/// Which jobs of an owner are meant.
#[derive(Debug, Clone, Copy)]
enum Selection<'a> {
    All,
    Named(&'a str),
    Ids { first: JobId, last: JobId, dense: bool },
}

impl Wanted {
    fn read(
        &self,
        connection: &Connection,
        which: Selection<'_>,
    ) -> Result<Vec<(Job, Progress)>, StoreError> {
        // Before the first place: times are not negative.
        let (created, id) =
            self.after.map_or((-1, JobId([0; 16])), |after| (rows::time(after.created), after.id));
        let mut values: Vec<Value> =
            vec![self.owner.0.into(), created.into(), id.0.to_vec().into(), as_limit(self.limit).into()];
        match which {
            Selection::All => {}
            Selection::Named(name) => values.push(name.to_owned().into()),
            Selection::Ids { first, last, .. } => {
                values.extend([first.0.to_vec().into(), last.0.to_vec().into()]);
            }
        }
        values.extend(self.state.map(|word| Value::from(word.to_owned())));
        let sql = list_sql(which, self.state.is_some(), self.challenged);
        query(connection, &sql, params_from_iter(values), rows::job_and_progress)
    }
}

/// The indexes are named where SQLite, which knows nothing of how many jobs there are, could
/// choose one in another order.
fn list_sql(which: Selection<'_>, one_state: bool, challenged: bool) -> String {
    const LIVE: &str = "state NOT IN ('acknowledged', 'cancelled')";
    // After the values that each list has come those of the selection, then the state.
    let (ids, state_at) = match which {
        Selection::All => ("", 5),
        Selection::Named(_) => (" AND display_name = ?5", 6),
        Selection::Ids { .. } => (" AND id BETWEEN ?5 AND ?6", 7),
    };
    let challenge = if challenged { " AND challenge_target IS NOT NULL" } else { "" };
    let select = format!("SELECT {JOB_COLUMNS}, {PROGRESS_COLUMNS} FROM jobs");
    let within = |index: &str, condition: &str| {
        format!(
            "INDEXED BY {index} WHERE owner = ?1 AND (created, id) > (?2, ?3) \
             AND {condition}{ids}{challenge}"
        )
    };
    let of_state = format!("state = ?{state_at}");
    let live = if one_state { format!("{LIVE} AND {of_state}") } else { LIVE.to_owned() };
    match which {
        Selection::Named(_) => {
            format!("{select} {} ORDER BY created, id LIMIT ?4", within("jobs_live_by_name", &live))
        }
        // What is sorted are only places in the index; the jobs of the page alone are read.
        Selection::Ids { dense: false, first, last } => {
            let groups = groups(first, last);
            let within = within("jobs_by_id", &format!("substr(id, 16) IN ({groups}) AND {live}"));
            format!(
                "{select} WHERE number IN (SELECT number FROM jobs {within} ORDER BY created, id LIMIT ?4) \
                 ORDER BY created, id"
            )
        }
        // The index has each state by itself in that order; what is live is merged from those.
        Selection::All | Selection::Ids { dense: true, .. } => {
            let states = if one_state {
                // By the start of an id only what is live is found.
                vec![if let Selection::All = which { of_state } else { live }]
            } else {
                rows::live_state_words().map(|word| format!("state = '{word}'")).collect()
            };
            let lists = states.iter().map(|state| format!("{select} {}", within("jobs_by_state", state)));
            format!("{} ORDER BY created, id LIMIT ?4", lists.collect::<Vec<_>>().join(" UNION ALL "))
        }
    }
}

/// The groups in which ids between `first` and `last` can be, as values in a statement.
fn groups(first: JobId, last: JobId) -> String {
    // Only whole ids have a group.
    let groups = if first == last { first.group()..=first.group() } else { 0..=u8::MAX };
    groups.map(|group| format!("X'{group:02X}'")).collect::<Vec<_>>().join(", ")
}

fn unfinished_sql() -> String {
    format!(
        "SELECT {JOB_COLUMNS} FROM jobs INDEXED BY jobs_unfinished \
         WHERE state IN ('connecting', 'transferring') \
         OR discard_pending = 1 OR notices IS NOT NULL \
         OR (state = 'queued' AND challenge_target IS NOT NULL) \
         OR (state = 'transferred' AND complete_when_done = 1) \
         ORDER BY created, id"
    )
}

fn queued_sql() -> String {
    format!(
        "SELECT {QUEUED_COLUMNS} FROM jobs INDEXED BY jobs_queued \
         WHERE state = 'queued' AND (priority, created, id) > (?1, ?2, ?3) \
         ORDER BY priority, created, id LIMIT ?4"
    )
}

fn retrying_sql() -> String {
    format!(
        "SELECT {JOB_COLUMNS} FROM jobs INDEXED BY jobs_retrying \
         WHERE state = 'transient_error' AND (created, id) > (?1, ?2) ORDER BY created, id LIMIT ?3"
    )
}

/// All jobs in the order of their places; and which of them come after the job `?1`: those of its group, and
/// those of later groups.
const ALL_GROUPS: [&str; 2] = ["TRUE", "substr(id, 16), id"];
const REST_OF_GROUP: [&str; 2] = ["substr(id, 16) = substr(?1, 16) AND id > ?1", "id"];
const LATER_GROUPS: [&str; 2] = ["substr(id, 16) > substr(?1, 16)", "substr(id, 16), id"];

fn live_sql([which, order]: [&str; 2]) -> String {
    format!(
        "SELECT id FROM jobs INDEXED BY jobs_by_id WHERE {which} \
         AND (state NOT IN ('acknowledged', 'cancelled') OR notices IS NOT NULL) \
         ORDER BY {order} LIMIT ?2"
    )
}

const INACTIVE: &str = "SELECT active_at, id FROM jobs INDEXED BY jobs_by_activity \
     WHERE state NOT IN ('acknowledged', 'cancelled') AND active_at <= ?1 AND (active_at, id) > (?2, ?3) \
     ORDER BY active_at, id LIMIT ?4";

/// Whether too many jobs, whosever they are, have an id between these to sort them by time.
fn is_dense(connection: &Connection, first: JobId, last: JobId) -> Result<bool, StoreError> {
    let sql = count_sql(first, last);
    let most = as_limit(SORTED_MAX + 1);
    connection
        .prepare_cached(&sql)
        .and_then(|mut statement| {
            statement.query_row(params![first.0, last.0, most], |row| row.get::<_, i64>(0))
        })
        .map(|jobs| jobs == most)
        .map_err(failed("read"))
}

fn count_sql(first: JobId, last: JobId) -> String {
    let groups = groups(first, last);
    format!(
        "SELECT count(*) FROM (SELECT 1 FROM jobs INDEXED BY jobs_by_id \
         WHERE substr(id, 16) IN ({groups}) AND id BETWEEN ?1 AND ?2 LIMIT ?3)"
    )
}

/// The first and the last id whose text form begins with `text`, in any letter case.
fn ids_beginning(text: &str) -> Option<(JobId, JobId)> {
    if let Ok(id) = JobId::parse(text) {
        return Some((id, id));
    }
    let filled = |with: char| {
        let rest: String = ID_PATTERN.chars().skip(text.chars().count()).collect();
        JobId::parse(&[text, &rest.replace('0', with.encode_utf8(&mut [0; 4]))].concat()).ok()
    };
    // A brace at the start would be taken together with one at the end.
    if text.len() < ID_START_MIN || text.starts_with('{') {
        return None;
    }
    Some((filled('0')?, filled('f')?))
}

const ID_PATTERN: &str = "00000000-0000-0000-0000-000000000000";

fn in_order(a: &Job, b: &Job) -> Ordering {
    (a.times.created, a.id).cmp(&(b.times.created, b.id))
}

fn as_limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

pub(super) fn query<T>(
    connection: &Connection,
    sql: &str,
    params: impl Params,
    read: impl Fn(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let mut found = Vec::new();
    query_each(connection, sql, params, |row| {
        found.push(read(row)?);
        Ok(())
    })?;
    Ok(found)
}

fn query_each(
    connection: &Connection,
    sql: &str,
    params: impl Params,
    mut each: impl FnMut(&Row<'_>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(sql).map_err(failed("read"))?;
    let mut rows = statement.query(params).map_err(failed("read"))?;
    while let Some(row) = rows.next().map_err(failed("read"))? {
        each(row)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::migrate;

    #[test]
    fn no_list_looks_at_every_job_and_only_a_few_ids_are_sorted() {
        let mut connection = Connection::open_in_memory().expect("a database in memory");
        migrate::migrate(&mut connection).expect("a schema");
        let (first, last) = (JobId([0; 16]), JobId([0xFF; 16]));
        let ids = |last, dense| Selection::Ids { first, last, dense };
        let searches = [
            Selection::All,
            Selection::Named("n"),
            ids(last, true),
            ids(last, false),
            ids(first, true),
            ids(first, false),
        ];
        let statements =
            searches.map(|which| [false, true].map(|one_state| list_sql(which, one_state, one_state)));
        for sql in statements.iter().flatten() {
            let plan = plan(&connection, sql);
            assert!(plan.contains("SEARCH jobs USING"), "{sql}\n{plan}");
            assert!(!plan.contains("SCAN"), "{sql}\n{plan}");
            assert_eq!(plan.contains("TEMP B-TREE"), sql.contains("jobs_by_id"), "{sql}\n{plan}");
            assert!(plan.contains("<expr>=? AND id>? AND id<?") || !sql.contains("jobs_by_id"), "{plan}");
        }
        for (sql, index) in [
            (unfinished_sql(), "USING INDEX jobs_unfinished"),
            (retrying_sql(), "USING INDEX jobs_retrying"),
            (live_sql(ALL_GROUPS), "USING INDEX jobs_by_id"),
            (live_sql(REST_OF_GROUP), "USING INDEX jobs_by_id (<expr>=? AND id>?)"),
            (live_sql(LATER_GROUPS), "USING INDEX jobs_by_id (<expr>>?)"),
            (count_sql(first, last), "USING COVERING INDEX jobs_by_id (<expr>=? AND id>? AND id<?)"),
            (
                format!("SELECT 1 FROM jobs WHERE {BY_ID}"),
                "USING COVERING INDEX jobs_by_id (<expr>=? AND id=?)",
            ),
            (String::from(INACTIVE), "USING INDEX jobs_by_activity"),
            // Of these no row is read.
            (queued_sql(), "USING COVERING INDEX jobs_queued"),
        ] {
            let plan = plan(&connection, &sql);
            assert!(plan.contains(index) && !plan.contains("TEMP B-TREE"), "{sql}\n{plan}");
        }
    }

    fn plan(connection: &Connection, sql: &str) -> String {
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).expect("a statement");
        let unbound = vec![Value::Null; statement.parameter_count()];
        let steps = statement.query_map(params_from_iter(unbound), |row| row.get::<_, String>(3));
        steps.expect("a plan").map(|step| step.expect("a step")).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn the_start_of_an_id_stands_for_all_ids_that_begin_so() {
        let ids = |text| ids_beginning(text).map(|(first, last)| [first.to_string(), last.to_string()]);
        for (text, first, last) in [
            ("8e2D", "8e2d0000-0000-0000-0000-000000000000", "8e2dffff-ffff-ffff-ffff-ffffffffffff"),
            ("8e2d0a1b-0", "8e2d0a1b-0000-0000-0000-000000000000", "8e2d0a1b-0fff-ffff-ffff-ffffffffffff"),
        ] {
            assert_eq!(ids(text), Some([first.to_owned(), last.to_owned()]), "{text:?}");
        }
        let whole = "8e2d0a1b-0203-4405-8607-08090a0b0c0d";
        let braces = "{8E2D0A1B-0203-4405-8607-08090A0B0C0D}";
        assert_eq!(ids(braces), Some([whole.to_owned(), whole.to_owned()]));
        for text in
            ["", "8e2", "x", "8e2d0a1b0", "-", "{8e2d", "grüße", "8e2d0a1b-0203-4405-8607-08090a0b0c0d0"]
        {
            assert_eq!(ids(text), None, "{text:?}");
        }
    }
}
