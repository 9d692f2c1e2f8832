//! The local API through its public face: an engine over a store in memory, a worker played by the
//! test, and requests as they come from the socket.

mod api;
mod certificates;
mod challenges;
mod content;
mod creating;
mod export;
mod http_options;
mod limits;
mod metrics;
mod model;
mod notifications;
mod stream;
mod world;
