//! Files that come by ranges: what of them is there, and what is asked for (`bits.md` §1.9).

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use bits_api::convert;
use bits_api::file::{DownloadPosition, RequestRanges};
use bits_core::access::Caller;
use bits_core::demand::{check_position, check_ranges};
use bits_core::file::{File, Stage};
use bits_core::queue::{FileView, Request};
use bits_core::ranges::ByteRange;
use bits_core::refusal::Refusal;
use bits_core::units::Bytes;

use crate::engine::{self, Query};

use super::Api;
use super::answer::{Refused, json};
use super::body::{FilePath, Json};
use super::jobs::changed;

/// `GetFilledFileRanges`.
pub(super) async fn filled(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    path: FilePath,
) -> Result<Response, Refused> {
    let view = api.on_demand(caller, &path).await?;
    Ok(json(StatusCode::OK, &convert::filled_ranges(&view.file)))
}

/// `RequestFileRanges`.
pub(super) async fn request(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    path: FilePath,
    Json(body): Json<RequestRanges>,
) -> Result<Response, Refused> {
    if body.ranges.is_empty() {
        return Err(Refusal::invalid("the list of ranges", "is empty").into());
    }
    let view = api.on_demand(caller, &path).await?;
    let range = |range: &bits_api::file::Range| ByteRange {
        offset: Bytes(range.offset),
        length: range.length.map(Bytes),
    };
    let ranges: Vec<_> = body.ranges.iter().map(range).collect();
    check_ranges(&view.file, &ranges).map_err(Refusal::Ranges)?;
    let FilePath { job, index } = path;
    api.ask(caller, &view.file, Request::RequestRanges { job, file: index, ranges }).await
}

/// `UpdateDownloadPosition`.
pub(super) async fn set_position(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    path: FilePath,
    Json(body): Json<DownloadPosition>,
) -> Result<Response, Refused> {
    let view = api.on_demand(caller, &path).await?;
    let position = Bytes(body.offset);
    check_position(&view.file, position).map_err(Refusal::Ranges)?;
    let FilePath { job, index } = path;
    api.ask(caller, &view.file, Request::SetPosition { job, file: index, position }).await
}

impl Api {
    /// A file that comes by ranges.
    async fn on_demand(&self, caller: Caller, path: &FilePath) -> Result<FileView, Refusal> {
        let answer = self.engine.query(caller, Query::Job(path.job)).await?;
        let engine::Response::JobWithSecrets { view: job, .. } = answer else {
            unreachable!("a job is answered with a job")
        };
        let view = self.file(caller, path).await?;
        let why = if !job.job.properties.transfer.on_demand {
            "the job is not on demand, so all of it comes from its beginning"
        } else if !view.file.ranges.is_all() {
            "only parts of it are to be the file"
        } else {
            return Ok(view);
        };
        let what = format!("the file {} of the job {}", path.index.0, path.job);
        Err(Refusal::RandomAccessNotSupported { what, why })
    }

    /// Asks for more of `file`, unless all of it is here.
    async fn ask(&self, caller: Caller, file: &File, request: Request) -> Result<Response, Refused> {
        let (Request::RequestRanges { job, .. } | Request::SetPosition { job, .. }) = &request else {
            unreachable!("something is asked for")
        };
        let request = match file.stage {
            Stage::Waiting => request,
            Stage::Transferred | Stage::Completed => Request::SetRemoteNames { job: *job, names: Vec::new() },
        };
        let (view, _) = changed(self.engine.request(caller, request).await?);
        Ok(self.job(StatusCode::OK, &view))
    }
}
