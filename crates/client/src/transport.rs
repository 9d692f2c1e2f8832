//! One request and its answer. Over which connection, and when to ask again, is decided in `client`.

use bits_api::operations::Operation;
use bits_api::problem::Problem;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST, IF_MATCH};
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use crate::connection::Connection;
use crate::error::Error;
use crate::wiped::WipedBuffer;

/// A request, ready to be sent as often as needed.
pub(crate) struct Request {
    operation: &'static Operation,
    target: String,
    body: Option<Zeroizing<Vec<u8>>>,
    revision: Option<u64>,
    is_last: bool,
}

/// The head of an answer, and a body that has not been read.
pub(crate) struct Answer {
    operation: &'static Operation,
    status: u16,
    body: Incoming,
}

/// The whole answer.
pub(crate) struct WholeAnswer {
    operation: &'static Operation,
    status: u16,
    body: Bytes,
}

/// Bytes an answer may have: a page of a thousand files, each with the longest URL there can be,
/// is half of it.
const ANSWER_BYTES_MAX: usize = 128 * 1024 * 1024;

impl Request {
    /// The request for `operation`, whose path is filled with `segments` in their order.
    pub(crate) fn new(operation: &'static Operation, segments: &[&str]) -> Self {
        let mut segments = segments.iter();
        let mut target = String::new();
        for part in operation.path.split('/').skip(1) {
            target.push('/');
            let is_parameter = part.starts_with('{');
            target.push_str(if is_parameter { segments.next().expect("a segment each") } else { part });
        }
        assert!(segments.next().is_none(), "{} has fewer segments", operation.name);
        Self { operation, target, body: None, revision: None, is_last: false }
    }

    /// With the fields of `query` that are set.
    pub(crate) fn query(mut self, query: &impl Serialize) -> Self {
        let fields = serde_json::to_value(query).expect("queries are plain structures");
        let mut text = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in fields.as_object().expect("queries are plain structures") {
            match value {
                serde_json::Value::String(value) => text.append_pair(name, value),
                other => text.append_pair(name, &other.to_string()),
            };
        }
        let text = text.finish();
        if !text.is_empty() {
            self.target.push('?');
            self.target.push_str(&text);
        }
        self
    }

    /// With `body`, in memory that is wiped.
    ///
    /// # Errors
    /// [`Error::Misuse`] when it is larger than the service takes.
    pub(crate) fn body(self, body: &impl Serialize) -> Result<Self, Error> {
        self.body_of_at_most(bits_api::REQUEST_BODY_BYTES_MAX, body)
    }

    /// The same, for an operation that takes another number of bytes.
    ///
    /// # Errors
    /// As [`Request::body`].
    pub(crate) fn body_of_at_most(mut self, bytes_max: usize, body: &impl Serialize) -> Result<Self, Error> {
        let mut buffer = WipedBuffer::new(bytes_max);
        serde_json::to_writer(&mut buffer, body)
            .map_err(|error| Error::Misuse { operation: self.operation.name, reason: error.to_string() })?;
        self.body = Some(buffer.into_bytes());
        Ok(self)
    }

    /// To be carried out only when the job is still at `revision`.
    pub(crate) fn only_at(mut self, revision: Option<u64>) -> Self {
        self.revision = revision;
        self
    }

    /// Over a connection of its own, that ends with the answer: what passes through it is kept in its
    /// buffers.
    pub(crate) fn with_secret(mut self) -> Self {
        self.is_last = true;
        self
    }

    /// Whether its connection ends with it, whatever the service says.
    pub(crate) fn is_last(&self) -> bool {
        self.is_last
    }

    pub(crate) fn operation(&self) -> &'static Operation {
        self.operation
    }

    /// Asks over `connection`, which is free again when the body of the answer has been read.
    ///
    /// # Errors
    /// [`Error::BrokenOff`], [`Error::Protocol`], [`Error::Misuse`].
    pub(crate) async fn send(&self, connection: &mut Connection) -> Result<Answer, Error> {
        let operation = self.operation.name;
        let mut request = hyper::Request::builder()
            .method(self.operation.method)
            .uri(&self.target)
            // Nothing is chosen by it, but HTTP/1.1 asks for one.
            .header(HOST, "bits");
        if self.body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        if let Some(revision) = self.revision {
            request = request.header(IF_MATCH, format!("\"{revision}\""));
        }
        if self.is_last {
            request = request.header(CONNECTION, "close");
        }
        // The connection drops the copy when it is written; it is wiped then, as is ours.
        let body = self.body.clone().map(Bytes::from_owner).unwrap_or_default();
        let request = request
            .body(Full::new(body))
            .map_err(|error| Error::Misuse { operation, reason: error.to_string() })?;
        let answer = connection.send(request).await.map_err(|error| trouble(operation, &error))?;
        let (head, body) = answer.into_parts();
        Ok(Answer { operation: self.operation, status: head.status.as_u16(), body })
    }
}

impl Answer {
    /// Reads the rest.
    ///
    /// # Errors
    /// As [`Request::send`].
    pub(crate) async fn whole(self) -> Result<WholeAnswer, Error> {
        let Self { operation, status, body } = self;
        let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await.map_err(|error| match error
            .downcast::<hyper::Error>(
        ) {
            Ok(error) => trouble(operation.name, &error),
            Err(error) => Error::Protocol { operation: operation.name, reason: error.to_string() },
        })?;
        Ok(WholeAnswer { operation, status, body: body.to_bytes() })
    }

    /// Whether the service leaves and has done nothing.
    pub(crate) fn is_stopping(&self) -> bool {
        self.status == UNAVAILABLE
    }

    /// The body of a success, to be read as it comes.
    ///
    /// # Errors
    /// [`Error::Refused`], and as [`Request::send`].
    pub(crate) async fn stream(self) -> Result<Incoming, Error> {
        if self.status == self.operation.answer.0 {
            return Ok(self.body);
        }
        Err(self.whole().await?.refusal())
    }
}

impl WholeAnswer {
    /// Whether the service leaves and has done nothing.
    pub(crate) fn is_stopping(&self) -> bool {
        self.status == UNAVAILABLE
    }

    /// The body of a success.
    ///
    /// # Errors
    /// [`Error::Refused`], or [`Error::Protocol`] when the body is another one.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T, Error> {
        self.succeeded()?;
        serde_json::from_slice(&self.body).map_err(|error| self.protocol(error.to_string()))
    }

    /// The body of a success that is text.
    ///
    /// # Errors
    /// As [`WholeAnswer::read`].
    pub(crate) fn text(&self) -> Result<String, Error> {
        self.succeeded()?;
        String::from_utf8(self.body.to_vec()).map_err(|error| self.protocol(error.to_string()))
    }

    /// That it is a success, whose body has nothing to say.
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub(crate) fn succeeded(&self) -> Result<(), Error> {
        if self.status == self.operation.answer.0 { Ok(()) } else { Err(self.refusal()) }
    }

    fn refusal(&self) -> Error {
        match serde_json::from_slice::<Problem>(&self.body) {
            Ok(problem) => Error::Refused(problem),
            Err(_) => self.protocol(format!("status {} without a problem", self.status)),
        }
    }

    fn protocol(&self, reason: String) -> Error {
        Error::Protocol { operation: self.operation.name, reason }
    }
}

/// The status of a service that is stopping, or cannot do it now.
const UNAVAILABLE: u16 = 503;

/// What an error of the connection is to the caller.
pub(crate) fn trouble(operation: &'static str, error: &hyper::Error) -> Error {
    let mut reason = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        reason = format!("{reason}: {error}");
        cause = error.source();
    }
    if error.is_parse() {
        Error::Protocol { operation, reason }
    } else {
        Error::BrokenOff { operation, reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bits_api::job::ListQuery;
    use bits_api::operations::named;

    #[test]
    fn paths_are_filled_and_queries_are_escaped() {
        let operation = named("set_credentials").expect("it is in the table");
        let request = Request::new(operation, &["8e2d", "server", "any"]);
        assert_eq!(request.target, "/v1/jobs/8e2d/credentials/server/any");

        let operation = named("list_jobs").expect("it is in the table");
        let query = ListQuery { called: Some("a&b=ü c".to_owned()), limit: Some(3), ..ListQuery::default() };
        let request = Request::new(operation, &[]).query(&query);
        assert_eq!(request.target, "/v1/jobs?called=a%26b%3D%C3%BC+c&limit=3");
        assert_eq!(Request::new(operation, &[]).query(&ListQuery::default()).target, "/v1/jobs");
    }
}
