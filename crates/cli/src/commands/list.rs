//! `bits list`: a table of jobs.

use std::pin::pin;

use bits_client::api::job::{Job, ListQuery};
use bits_core::job::State;
use futures_util::TryStreamExt;

use super::Context;
use crate::arguments::List;
use crate::exit::Failure;
use crate::nearest::nearest;
use crate::output::{table, words};
use crate::standing::Standing;

pub(super) async fn run(list: List, context: &Context<'_>) -> Result<(), Failure> {
    let output = context.output;
    let state = list.state.map(known_state).transpose()?;
    let session = context.session().await?;
    let all_users = list.all_users.then_some(true);
    let query = ListQuery { state, all_users, ..ListQuery::default() };
    let mut jobs = pin!(session.client.jobs(query));
    if output.is_json() {
        // Written as they come: there may be a million.
        let mut separator = "[";
        while let Some(job) = jobs.try_next().await? {
            let text = serde_json::to_string(&job).expect("jobs are plain structures");
            output.result_bytes([separator, &text].concat().as_bytes())?;
            separator = ",\n";
        }
        return output.result_bytes(if separator == "[" { b"[]\n" } else { b"]\n" });
    }
    let mut rows = Vec::new();
    while let Some(job) = jobs.try_next().await? {
        rows.push(row(&job));
    }
    if rows.is_empty() {
        output.say("there are no such jobs");
        return Ok(());
    }
    shorten_ids(&mut rows);
    for line in table::lines(["ID", "STATE", "PRIORITY", "PROGRESS", "NAME"], &rows) {
        output.result(&line)?;
    }
    Ok(())
}

/// The state that a person means, by the API's word.
fn known_state(typed: String) -> Result<String, Failure> {
    let word = typed.to_lowercase().replace([' ', '-'], "_");
    if State::NAMES.contains(&word.as_str()) {
        return Ok(word);
    }
    Err(Failure::UsageNear {
        sentence: format!("there is no state `{typed}`; there are {}", State::NAMES.join(", ")),
        nearest: nearest(&word, State::NAMES).map(str::to_owned),
    })
}

fn row(job: &Job) -> [String; 5] {
    let is_over = Standing::of(job).is_over();
    [
        // One that is over is found by its whole id alone.
        if is_over { format!("{} ", job.id) } else { job.id.clone() },
        match words::held_back_by(job) {
            Some(reason) => format!("{} ({})", job.state, reason).replace('_', " "),
            None => job.state.replace('_', " "),
        },
        job.priority.clone(),
        words::progress(&job.progress),
        job.display_name.clone(),
    ]
}

/// Digits of an id that are shown at least.
const ID_DIGITS_MIN: usize = 8;

/// Cuts ids to what tells them apart, and is enough to type.
fn shorten_ids(rows: &mut [[String; 5]]) {
    let mut ids: Vec<String> = rows.iter().map(|row| row[0].clone()).collect();
    ids.sort();
    let shared = |a: &str, b: &str| a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    let longest = ids.windows(2).map(|pair| shared(&pair[0], &pair[1])).max().unwrap_or(0);
    let digits = ID_DIGITS_MIN.max(longest + 1);
    for row in rows {
        if row[0].ends_with(' ') {
            row[0].pop();
        } else if let Some(short) = row[0].get(..digits) {
            row[0] = short.to_owned();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::words::tests::a_job;
    use bits_client::api::job::Wait;

    #[test]
    fn a_job_that_is_held_back_says_by_what() {
        let waits = |reason: &str| {
            let wait = Wait { reason: reason.to_owned(), ..Wait::default() };
            row(&Job { wait: Some(wait), ..a_job("queued") })[1].clone()
        };
        let rows = ["turn", "network", "owner_away"].map(waits);
        assert_eq!(rows, ["queued", "queued (network)", "queued (owner away)"]);
    }

    #[test]
    fn ids_are_as_long_as_it_takes_to_tell_them_apart() {
        let with = |id: &str, state: &str| row(&Job { id: id.to_owned(), ..a_job(state) });
        let mut rows = [
            with("8e2d0a1b-0203-4405-8607-08090a0b0c0d", "queued"),
            with("8e2d0a1b-02ff-4405-8607-08090a0b0c0d", "error"),
            with("11111111-0203-4405-8607-08090a0b0c0d", "cancelled"),
        ];
        shorten_ids(&mut rows);
        let ids: Vec<&str> = rows.iter().map(|row| row[0].as_str()).collect();
        assert_eq!(ids, ["8e2d0a1b-020", "8e2d0a1b-02f", "11111111-0203-4405-8607-08090a0b0c0d"]);
    }

    #[test]
    fn a_state_is_known_by_its_word_and_a_slip_is_named() {
        assert_eq!(known_state("Transient Error".to_owned()).expect("a state"), "transient_error");
        let Err(Failure::UsageNear { nearest, .. }) = known_state("eror".to_owned()) else {
            panic!("it is none")
        };
        assert_eq!(nearest.as_deref(), Some("error"));
    }
}
