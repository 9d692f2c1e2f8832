//! The key on record, and the change to another.

use bits_core::credentials::{AuthScheme, AuthTarget, SecretSlot};
use bits_core::ports::{KeyId, KeySource, RekeyError, SealError, SealedSecret, SealingKey, Store};

use super::samples::{ALICE, BOB, id, job};
use super::{Job, add, change_secret, sealed, set};

const FIRST: SealingKey = SealingKey { id: KeyId([1, 0, 255, 3, 4, 5, 6, 7]), source: KeySource::KeyFile };
const SECOND: SealingKey = SealingKey { id: KeyId([9; 8]), source: KeySource::SystemdCredential };

pub(super) fn a_key_is_on_record_once_it_is_chosen(store: &mut dyn Store) {
    assert_eq!(store.sealing_key(), Ok(None));
    for key in [FIRST, SECOND, SECOND] {
        assert_eq!(store.rekey(key, &mut |_, _, _| panic!("there is no credential")), Ok(()));
        assert_eq!(store.sealing_key(), Ok(Some(key)));
    }
}

pub(super) fn another_key_comes_with_a_new_record_for_each_credential(store: &mut dyn Store) {
    const JOBS: u8 = 70;
    assert_eq!(store.has_secrets(), Ok(false));
    for number in 0..JOBS {
        let owner = if number % 2 == 0 { ALICE } else { BOB };
        add(store, &Job { owner, ..job(number) });
        change_secret(store, id(number), set(AuthTarget::Server, AuthScheme::Basic, &[number]));
        change_secret(store, id(number), set(AuthTarget::Proxy, AuthScheme::Ntlm, &[number, 2]));
    }
    assert_eq!(store.has_secrets(), Ok(true));
    let mut seen = 0;
    let rekeyed = store.rekey(FIRST, &mut |job, owner, SealedSecret { slot, record }| {
        seen += 1;
        assert_eq!(job, id(record[0]));
        assert_eq!(owner, if record[0] % 2 == 0 { ALICE } else { BOB });
        let is_proxy = record.len() == 2;
        let place = if is_proxy {
            (AuthTarget::Proxy, AuthScheme::Ntlm)
        } else {
            (AuthTarget::Server, AuthScheme::Basic)
        };
        let (target, scheme) = place;
        assert_eq!(*slot, SecretSlot::Credential { target, scheme });
        Ok([record.as_slice(), b" anew"].concat())
    });
    assert_eq!((rekeyed, seen), (Ok(()), 2 * u32::from(JOBS)));
    for number in 0..JOBS {
        let records = store.secrets(id(number)).expect("credentials");
        let anew = |start: &[u8]| [start, b" anew"].concat();
        assert_eq!(
            records.iter().map(|sealed| sealed.record.clone()).collect::<Vec<_>>(),
            [anew(&[number]), anew(&[number, 2])]
        );
    }
}

pub(super) fn a_record_that_cannot_be_made_anew_leaves_all_as_it_was(store: &mut dyn Store) {
    for number in 1..=3 {
        add(store, &job(number));
        change_secret(store, id(number), set(AuthTarget::Server, AuthScheme::Basic, &[number]));
    }
    store.rekey(FIRST, &mut |_, _, sealed| Ok(sealed.record.clone())).expect("chosen");
    let refused = store.rekey(SECOND, &mut |_, _, sealed| match sealed.record[0] {
        3 => Err(SealError::DoesNotOpen),
        _ => Ok(b"another".to_vec()),
    });
    assert_eq!(refused, Err(RekeyError::Seal { job: id(3), error: SealError::DoesNotOpen }));
    assert_eq!(store.sealing_key(), Ok(Some(FIRST)));
    for number in 1..=3 {
        assert_eq!(
            store.secrets(id(number)),
            Ok(vec![sealed(AuthTarget::Server, AuthScheme::Basic, &[number])])
        );
    }
}
