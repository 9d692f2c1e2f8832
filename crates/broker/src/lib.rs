//! The engine of the service and its local API: decides, writes, answers.
//!
//! The broker opens no user's file and reaches no server; workers do, and one in the same process may lend it a
//! look at whether a name is free. Which store, which system
//! and which worker it has is handed in by the program that starts it.

mod alarm;
pub mod certificates;
pub mod effects;
pub mod engine;
pub mod http;
pub mod metrics;
pub mod names;
pub mod notify;
pub mod stop;
mod subscriptions;
pub mod vault;
pub mod workers;
