//! Which key seals the credentials of a store: chosen once, kept on record, found again.
//!
//! A key that is not there is made up for by no other. The service starts without it, for jobs
//! without credentials; those with some wait. How keys are kept is in `platform::seal`.

use std::sync::Arc;

use bits_core::ports::{Seal, Store};
use bits_platform::seal::{KeyError, KeyPlaces, KeySeal, LostKey};

use crate::wire::StartError;

/// The key of `store`. What a person should know about it is added to `notices`.
pub(crate) fn open(
    store: &mut dyn Store,
    places: &KeyPlaces,
    notices: &mut Vec<String>,
) -> Result<Arc<dyn Seal>, StartError> {
    let on_record = store.sealing_key()?;
    let found = match on_record {
        Some(key) => KeySeal::find(places, key),
        // A store from before keys were put on record.
        None if store.has_secrets()? => KeySeal::of_unrecorded(places),
        // Nothing depends on a key yet, so one that cannot be used is an error to be cured first.
        None => Ok(KeySeal::choose(places)?),
    };
    let seal = match found {
        Ok(seal) => seal,
        Err(error) => {
            notices.push(lost(&error));
            return Ok(Arc::new(LostKey::new(places, on_record, &error)));
        }
    };
    if on_record.is_none() {
        // Its records are sealed with it already.
        store.rekey(seal.key(), &mut |_, _, sealed| Ok(sealed.record.clone()))?;
    }
    if !seal.is_locked_in_memory() {
        notices.push("the key could not be locked in memory; it may reach swap space".to_owned());
    }
    Ok(Arc::new(seal))
}

fn lost(error: &KeyError) -> String {
    format!(
        "the key that seals credentials is not there: {error}. Jobs with credentials wait for it, and \
         none can be set; put it back and restart the service"
    )
}

#[cfg(test)]
mod tests;
