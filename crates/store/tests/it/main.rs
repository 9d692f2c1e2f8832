//! The store through its public face.

mod alike;
mod crash;
mod damage;
mod intake;
mod opening;
mod sample;
mod schema;
mod secrets;
mod stores;
