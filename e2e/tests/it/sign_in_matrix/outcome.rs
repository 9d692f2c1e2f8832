//! What came of a row, and the table of all of them.

use std::path::Path;

use bits_e2e::{Peers, Request, sha256};
use serde_json::Value;

use super::peer::{Asked, Authority};
use super::rows::Row;

/// What came of a row.
#[derive(Debug)]
pub(super) struct Outcome {
    state: String,
    code: Option<String>,
    message: String,
    at_server: Vec<Request>,
    at_proxy: Vec<Request>,
    /// What a KDC or domain controller said each time it was asked about the account.
    judged: Vec<String>,
    /// Whether the bytes of the file are under its name; `None` when nothing is.
    is_right: Option<bool>,
}

impl Outcome {
    pub(super) fn of(
        peers: &Peers,
        job: &Value,
        file: &Path,
        asked: &Asked,
        account: Option<(Authority, &str)>,
    ) -> Self {
        Self {
            state: job["state"].as_str().expect("a state").to_owned(),
            code: job["error"]["code"].as_str().map(str::to_owned),
            message: job["error"]["message"].as_str().unwrap_or_default().to_owned(),
            at_server: asked.at_server(peers),
            at_proxy: asked.at_proxy(peers),
            judged: account.map(|(authority, name)| authority.sign_ins(peers, name)).unwrap_or_default(),
            is_right: file.exists().then(|| Some(sha256(file)) == asked.content(peers).map(sha256)),
        }
    }

    /// Whether it is what `row` expects. Where proxy and server have asked, and both were content, all has
    /// gone over one connection.
    pub(super) fn is_as_expected(&self, row: &Row) -> bool {
        let expected = &row.expected;
        let code = expected.code.map(|code| format!("0x{code:08X}"));
        let is_there = expected.code.is_none();
        self.state == expected.state
            && self.code == code
            && self.is_right == is_there.then_some(true)
            && expected.proofs.is_none_or(|proofs| proofs == self.proofs(row))
            && expected.judged.is_none_or(|judged| judged == self.judged)
            && expected.says.is_none_or(|says| self.message.contains(says))
            && (!is_there || row.target() != "both" || self.is_one_connection())
    }

    /// Whether all went over one connection to the proxy, and one to the server.
    fn is_one_connection(&self) -> bool {
        [&self.at_proxy, &self.at_server]
            .into_iter()
            .all(|requests| requests.windows(2).all(|pair| pair[0].connection == pair[1].connection))
    }

    /// Requests in which something was proved, to the server and to the proxy. What a certificate
    /// proves is in each request of its connection.
    fn proofs(&self, row: &Row) -> [usize; 2] {
        let proofs =
            |requests: &[Request]| requests.iter().filter(|request| request.scheme.is_some()).count();
        let at_server = match row.certificate {
            Some(_) => self.at_server.len(),
            None => proofs(&self.at_server),
        };
        [at_server, proofs(&self.at_proxy)]
    }
}

/// What came of the rows, for a person.
pub(super) fn table(outcomes: &[(&Row, Outcome)]) -> String {
    let head = line(["target", "server", "proxy", "scheme", "case", "state", "code", "proofs", "peers said"]);
    let lines = outcomes.iter().map(|(row, outcome)| {
        let [server, proxy] = outcome.proofs(row);
        let said = |who: &str, requests: &[Request]| match requests {
            [] => String::new(),
            requests => {
                let statuses = requests.iter().map(|request| request.status.to_string());
                format!("{who} {} ", statuses.collect::<Vec<_>>().join(","))
            }
        };
        let judged = match outcome.judged.as_slice() {
            [] => String::new(),
            judged => format!("authority {} ", judged.join(",")),
        };
        let said = [said("server", &outcome.at_server), said("proxy", &outcome.at_proxy), judged].concat();
        let mark = if outcome.is_as_expected(row) { "" } else { "NOT AS EXPECTED " };
        line([
            row.target(),
            &row.server.to_string(),
            &row.proxy.map(|proxy| proxy.to_string()).unwrap_or_default(),
            &row.scheme(),
            row.case,
            &outcome.state,
            outcome.code.as_deref().unwrap_or("-"),
            &format!("{server}+{proxy}"),
            &format!("{mark}{said}| {}", outcome.message),
        ])
    });
    std::iter::once(head).chain(lines).collect::<Vec<_>>().join("\n")
}

fn line(cells: [&str; 9]) -> String {
    let [target, server, proxy, scheme, case, state, code, proofs, said] = cells;
    format!(
        "{target:<6} {server:<24} {proxy:<18} {scheme:<19} {case:<34} {state:<15} {code:<10} {proofs:<6} {said}"
    )
}
