//! Connections over which several requests go at a time: who may share one finds it here, and one at a
//! time opens one where there is none.
//!
//! Jobs share them as they lend each other connections of HTTP/1.1: through the pool, where nothing in
//! what they ask says who asks; else within one attempt alone. Nothing is kept open from here.

use std::sync::{Arc, Mutex, PoisonError};

use bits_core::job::Priority;
use bits_core::remote_name::RemoteName;
use tokio::sync::{Mutex as Turn, OwnedMutexGuard};

use super::connection::Connection;
use super::http2::WeakShared;
use super::route::Route;

/// Places remembered; those without a connection go first.
const PLACES_MAX: usize = 64;

/// Where connections are shared. All clones are one.
#[derive(Debug, Clone, Default)]
pub(super) struct Sharing(Arc<Mutex<Vec<Place>>>);

#[derive(Debug)]
struct Place {
    origin: RemoteName,
    route: Route,
    /// A connection is as polite as the job that opened it.
    priority: Priority,
    connections: Arc<Turn<Vec<WeakShared>>>,
}

/// The connections to one place, while nobody else looks at them.
pub(super) struct AtPlace {
    connections: OwnedMutexGuard<Vec<WeakShared>>,
    has_waited: bool,
}

impl Sharing {
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Those to the server of `name` by `route`; waits while somebody opens one.
    pub(super) async fn at(&self, name: &RemoteName, route: &Route, priority: Priority) -> AtPlace {
        let connections = {
            let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let is_it = |place: &&Place| {
                place.origin.same_origin(name) && place.route == *route && place.priority == priority
            };
            match places.iter().find(is_it) {
                Some(place) => place.connections.clone(),
                None => {
                    if places.len() >= PLACES_MAX {
                        places.retain(|place| Arc::strong_count(&place.connections) > 1 || is_open(place));
                    }
                    let connections = Arc::default();
                    let (origin, route) = (name.clone(), route.clone());
                    places.push(Place { origin, route, priority, connections: Arc::clone(&connections) });
                    connections
                }
            }
        };
        match connections.clone().try_lock_owned() {
            Ok(connections) => AtPlace { connections, has_waited: false },
            Err(_) => AtPlace { connections: connections.lock_owned().await, has_waited: true },
        }
    }
}

fn is_open(place: &Place) -> bool {
    place.connections.try_lock().is_ok_and(|known| known.iter().any(|weak| weak.upgrade().is_some()))
}

impl AtPlace {
    /// Whether somebody was just opening a connection. Where it did not come to be, one need not wait
    /// one after the other for the same failure.
    pub(super) fn has_waited(&self) -> bool {
        self.has_waited
    }

    /// A share in one with room for a request.
    pub(super) fn share(&mut self, name: &RemoteName, route: &Route) -> Option<Connection> {
        self.connections.retain(|known| known.upgrade().is_some_and(|shared| !shared.is_left()));
        self.connections.iter().filter_map(WeakShared::upgrade).find_map(|shared| {
            let room = shared.room()?;
            Some(Connection::sharing(shared, room, name, route.clone()))
        })
    }

    /// Lets others share `connection`, if that can be.
    pub(super) fn put(&mut self, connection: &Connection) {
        self.connections.extend(connection.shared().map(|shared| shared.downgrade()));
    }
}
