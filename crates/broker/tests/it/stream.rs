//! A stream of server-sent events, as the one who reads it sees it.

use axum::body::BodyDataStream;
use axum::http::{Method, StatusCode};
use futures_util::StreamExt;
use serde_json::Value;

use crate::world::{ANNA, World, request};

/// One that is open.
pub(crate) struct Stream {
    source: BodyDataStream,
    unread: String,
}

impl Stream {
    pub(crate) async fn open(world: &World, path: &str) -> Self {
        let answer = world.send_raw(Some(ANNA), request(Method::GET, path, None)).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        Self { source: answer.into_body().into_data_stream(), unread: String::new() }
    }

    /// The next event: its name and its body.
    pub(crate) async fn next(&mut self) -> (String, Value) {
        loop {
            if let Some((event, rest)) = self.unread.split_once("\n\n") {
                let (name, data) = event.split_once('\n').expect("two lines");
                let body = serde_json::from_str(data.strip_prefix("data: ").expect("data")).expect("JSON");
                let name = name.strip_prefix("event: ").expect("a name").to_owned();
                self.unread = rest.to_owned();
                return (name, body);
            }
            let piece = self.source.next().await.expect("more").expect("a frame");
            self.unread += std::str::from_utf8(&piece).expect("text");
        }
    }

    /// Waits for the event `name`; its body.
    pub(crate) async fn wait_for(&mut self, name: &str) -> Value {
        loop {
            let (is, body) = self.next().await;
            if is == name {
                return body;
            }
        }
    }

    /// Waits until the service ends it.
    pub(crate) async fn ended(mut self) {
        assert_eq!(self.unread, "");
        assert!(self.source.next().await.is_none(), "something is told");
    }
}
