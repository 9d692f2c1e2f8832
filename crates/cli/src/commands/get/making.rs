//! Making the job of a `get`, step by step, until it can go on alone.

use bits_client::api::event::Event;
use bits_client::api::file::{AddFile, AddFiles};
use bits_client::api::job::{ChangeJob, CreateJob, Job};
use bits_client::{EventStream, new_job};
use bits_core::job::{DISPLAY_NAME_UNITS_MAX, JobId};

use super::name_of;
use super::signing_in::First;
use crate::arguments::Get;
use crate::destination::Order;
use crate::exit::Failure;
use crate::output::Output;
use crate::requests;
use crate::session::Session;

/// A job that is being made.
pub(super) struct Making<'a> {
    get: &'a Get,
    orders: &'a [Order],
    session: &'a Session,
    order: CreateJob,
    id: JobId,
}

/// Files added in one request.
const FILES_AT_ONCE: usize = 1000;
/// Bytes of URLs and paths in one request: as JSON they can be six times as long.
const BYTES_AT_ONCE: usize = bits_client::api::REQUEST_BODY_BYTES_MAX / 8;

/// The job that the flags of `get` describe.
///
/// # Errors
/// Those of [`requests::put_into`].
pub(super) fn order(get: &Get, orders: &[Order], output: &Output) -> Result<CreateJob, Failure> {
    let name = get.name.clone().unwrap_or_else(|| cut(&name_of(orders)));
    let properties = ChangeJob {
        description: get.description.clone(),
        priority: Some(get.priority.name().to_owned()),
        complete_when_done: Some(true),
        keep_going: get.keep_going.then_some(true),
        ..ChangeJob::default()
    };
    let mut order = CreateJob { properties, ..new_job(name) };
    requests::put_into(&mut order, &get.requests, output)?;
    Ok(order)
}

impl<'a> Making<'a> {
    pub(super) fn new(get: &'a Get, orders: &'a [Order], session: &'a Session, order: CreateJob) -> Self {
        let id = order.id.as_deref().map(JobId::parse);
        let id = id.and_then(Result::ok).expect("a new job has an id of its own");
        Self { get, orders, session, order, id }
    }

    /// The job's id, known before it is made: it is needed to cancel what was half made.
    pub(super) fn id(&self) -> JobId {
        self.id
    }

    /// Makes the job and lets it run. Returns its events, of which the first have been heard, and
    /// the job as it was then. With `attends`, whoever reads them is who is asked for credentials.
    pub(super) async fn make(
        self,
        credentials: Vec<First>,
        attends: bool,
    ) -> Result<(EventStream, Job), Failure> {
        let Self { get, orders, session, order, id } = self;
        let client = &session.client;
        client.create_job(order).await?;
        for First { target, scheme, credentials, is_optional } in credentials {
            let set = client.set_credentials(id, target, scheme, &credentials).await;
            if !is_optional {
                set?;
            }
        }
        for part in parts(orders) {
            let files = part.iter().map(|order| AddFile {
                no_clobber: get.no_clobber,
                checksum: order.told.checksum.as_ref().map(ToString::to_string),
                expected_size: order.told.size,
                mirrors: order.told.mirrors.iter().map(|mirror| mirror.as_str().to_owned()).collect(),
                resume_by: get.content.resume_by.map(|by| by.name().to_owned()),
                ..AddFile::new(order.url.clone(), order.path.clone())
            });
            let files = AddFiles { files: files.collect(), create_folders: get.create_dirs };
            client.add_files(id, &files).await?;
        }
        // Listened for before anything can happen, so that nothing is missed.
        let mut events = if attends { client.attend(id).await? } else { client.events(Some(id)).await? };
        while events.next().await? != Event::Ready {}
        let answer = client.resume_job(id).await?;
        Ok((events, answer.job))
    }
}

/// `orders` in parts that fit into a request.
pub(crate) fn parts(orders: &[Order]) -> Vec<&[Order]> {
    let mut parts = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (index, order) in orders.iter().enumerate() {
        let mirrors = order.told.mirrors.iter().map(|mirror| mirror.as_str().len());
        let size = order.url.len() + order.path.len() + mirrors.sum::<usize>();
        if index > start && (index - start == FILES_AT_ONCE || bytes + size > BYTES_AT_ONCE) {
            parts.push(&orders[start..index]);
            (start, bytes) = (index, 0);
        }
        bytes += size;
    }
    parts.push(&orders[start..]);
    parts
}

/// `name`, no longer than a display name may be.
fn cut(name: &str) -> String {
    let mut units = 0;
    name.chars()
        .take_while(|character| {
            units += character.len_utf16();
            units <= DISPLAY_NAME_UNITS_MAX
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::destination::{Here, from_operands};
    use std::path::Path;

    #[test]
    fn many_files_are_added_in_parts_that_fit_and_keep_their_order() {
        let here = Here { folder: Some(Path::new("/h")), is_folder: &|_| true, creates_folders: false };
        let long = "x".repeat(60_000);
        for (urls, sizes) in [
            ((0..2500).map(|n| format!("http://h/{n}")).collect::<Vec<_>>(), vec![1000, 1000, 500]),
            ((0..40).map(|n| format!("http://h/{n}?{long}")).collect(), vec![34, 6]),
            (vec!["http://h/f".to_owned()], vec![1]),
        ] {
            let orders = from_operands(&urls, &here).expect("orders");
            let parts = parts(&orders);
            assert_eq!(parts.iter().map(|part| part.len()).collect::<Vec<_>>(), sizes);
            assert_eq!(parts.concat(), orders);
        }
    }

    #[test]
    fn a_name_made_from_a_file_fits() {
        assert_eq!(cut(&"🦀".repeat(200)), "🦀".repeat(128));
        assert_eq!(cut("grüße"), "grüße");
    }
}
