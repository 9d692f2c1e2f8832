//! Answers of a real KDC, recorded, for tests and fuzz targets that need a ticket and have no KDC. The
//! library opens them with the password alone, whenever that is.

use super::*;
use crate::auth::krb_message::RequestKind;

/// What the KDC of EXAMPLE.TEST answered to alice, whose password was `secret`: that she has to prove
/// herself, her first ticket, and one for HTTP/localhost.
pub(in crate::auth) const DEMAND: &[u8] = include_bytes!("recorded/demand.der");
pub(in crate::auth) const LOGON: &[u8] = include_bytes!("recorded/logon.der");
pub(in crate::auth) const SERVICE: &[u8] = include_bytes!("recorded/service.der");

/// alice at localhost, who gets her tickets from these answers and asks no KDC. What is no answer to
/// a first request is one about the service.
pub(in crate::auth) async fn log_on(
    first: &[&[u8]],
    about_service: &[&[u8]],
    binding: Option<ChannelBinding>,
) -> Result<(KerberosMechanism, Vec<u8>), Fault> {
    let source = TicketSource { name_servers: Some(Vec::new()), ..TicketSource::default() };
    let user = UserName::Bare("alice".to_owned());
    let password = Secret::new("secret".to_owned());
    let mut mechanism =
        KerberosMechanism::new("localhost", "HTTP/localhost", user, &password, source, binding);
    let client = Client { name: "alice".to_owned(), realm: "EXAMPLE.TEST".to_owned() };
    let answer = |kind, reply: &&[u8]| Exchange { kind, realm: client.realm.clone(), reply: reply.to_vec() };
    let first = first.iter().map(|reply| answer(RequestKind::Logon, reply));
    let kept = first.chain(about_service.iter().map(|reply| answer(RequestKind::Service, reply))).collect();
    match mechanism.log_on_with(&client, &Krb5Conf::default(), kept).await {
        Ok(token) => Ok((mechanism, token)),
        Err(refusal) => Err(mechanism.fault(refusal)),
    }
}
