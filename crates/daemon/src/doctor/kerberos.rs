//! Whether a KDC of the own realm answers, and whether its clock and ours agree.

use bits_api::finding::Finding;
use bits_worker::auth::{KdcStanding, KerberosEnvironment, RealmStanding, inquire};

/// By how much clocks may differ before a KDC refuses (five minutes by default), with some room.
const SKEW_MAX: u64 = 240;

pub(super) fn check(environment: crate::Environment<'_>) -> Vec<Finding> {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let advice = "see whether the system has run out of files or threads";
            return vec![Finding::warning("kerberos", format!("nothing can be asked: {error}"), advice)];
        }
    };
    let value = environment("KRB5_CONFIG");
    judge(&runtime.block_on(inquire(&KerberosEnvironment::from_krb5_config(value.as_deref()))))
}

fn judge(standing: &RealmStanding) -> Vec<Finding> {
    let Some(realm) = &standing.realm else {
        let finding =
            format!("no default realm in {}; Kerberos takes the realm from the user name", standing.sources);
        return vec![Finding::ok("kerberos", finding)];
    };
    if standing.kdcs.is_empty() {
        let finding = format!(
            "no KDC of {realm} is named in {} or in the DNS; Kerberos cannot be used, NTLM can",
            standing.sources
        );
        return vec![Finding::warning(
            "kerberos",
            finding,
            "name the KDC in krb5.conf, or use the domain's DNS",
        )];
    }
    if standing.kdcs.iter().all(|way| way.answer.is_err()) {
        let mut reasons: Vec<String> = standing
            .kdcs
            .iter()
            .filter_map(|way| way.answer.as_ref().err().map(|why| format!("{}: {why}", way.kdc)))
            .collect();
        reasons.dedup();
        let finding =
            format!("no KDC of {realm} answers ({}); signing in by Kerberos fails", reasons.join("; "));
        let advice = "let this machine reach TCP and UDP port 88 of one, or correct krb5.conf; \
                      where nobody signs in by Kerberos it does not matter";
        return vec![Finding::warning("kerberos", finding, advice)];
    }
    let mut findings = Vec::new();
    for kdc in standing.kdcs.chunk_by(|a, b| a.kdc == b.kdc) {
        findings.push(reached(realm, kdc));
        findings.extend(clock(kdc));
    }
    findings
}

/// One of the ways is enough; without TCP large tickets do not come.
fn reached(realm: &str, ways: &[KdcStanding]) -> Finding {
    let kdc = &ways[0].kdc;
    let ends = |answers: bool| {
        let ends = ways.iter().filter(|way| way.answer.is_ok() == answers);
        ends.map(|way| match &way.answer {
            Ok(_) => way.transport.to_owned(),
            Err(why) => format!("{}: {why}", way.transport),
        })
        .collect::<Vec<_>>()
    };
    let (good, bad) = (ends(true), ends(false));
    let advice = "let this machine reach TCP and UDP port 88 of it, or name another KDC in krb5.conf";
    match (good.is_empty(), bad.is_empty()) {
        (false, true) => {
            Finding::ok("kerberos", format!("the KDC {kdc} of {realm} answers over {}", good.join(" and ")))
        }
        (true, _) => Finding::warning(
            "kerberos",
            format!(
                "the KDC {kdc} of {realm} does not answer ({}); signing in by Kerberos fails",
                bad.join("; ")
            ),
            advice,
        ),
        (false, false) if good.iter().any(|way| way == "TCP") => {
            Finding::ok("kerberos", format!("the KDC {kdc} of {realm} answers over TCP, not over UDP"))
        }
        (false, false) => Finding::warning(
            "kerberos",
            format!(
                "the KDC {kdc} of {realm} answers over UDP alone ({}); long tickets do not come",
                bad.join("; ")
            ),
            advice,
        ),
    }
}

fn clock(ways: &[KdcStanding]) -> Option<Finding> {
    let ahead = ways.iter().find_map(|way| way.answer.as_ref().ok().copied().flatten())?;
    let kdc = &ways[0].kdc;
    let seconds = ahead.unsigned_abs();
    Some(if seconds > SKEW_MAX {
        Finding::warning(
            "clock",
            format!("the clock of the KDC {kdc} differs from ours by {seconds} s; it refuses more than 300"),
            "set the clock, as with `timedatectl set-ntp true`",
        )
    } else {
        Finding::ok("clock", format!("the clock agrees with that of the KDC {kdc}, within {seconds} s"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use bits_api::finding::Verdict;

    fn kdc(transport: &'static str, answer: Result<Option<i64>, &str>) -> KdcStanding {
        KdcStanding { kdc: "k.test:88".to_owned(), transport, answer: answer.map_err(str::to_owned) }
    }

    fn verdicts(kdcs: Vec<KdcStanding>) -> Vec<(String, Verdict)> {
        let standing =
            RealmStanding { realm: Some("X.TEST".to_owned()), sources: "/etc/krb5.conf".to_owned(), kdcs };
        judge(&standing).into_iter().map(|finding| (finding.check, finding.verdict)).collect()
    }

    #[test]
    fn a_realm_is_judged_by_which_ways_to_its_kdc_are_open_and_by_its_clock() {
        use Verdict::{Ok as Good, Warning};
        let (k, c) = (|verdict| ("kerberos".to_owned(), verdict), |verdict| ("clock".to_owned(), verdict));
        let (tcp, udp) = ("TCP", "UDP");
        assert_eq!(verdicts(vec![]), [k(Warning)]);
        assert_eq!(verdicts(vec![kdc(tcp, Ok(Some(2))), kdc(udp, Ok(None))]), [k(Good), c(Good)]);
        assert_eq!(verdicts(vec![kdc(tcp, Ok(Some(-301))), kdc(udp, Err("x"))]), [k(Good), c(Warning)]);
        assert_eq!(verdicts(vec![kdc(tcp, Err("x")), kdc(udp, Ok(None))]), [k(Warning)]);
        assert_eq!(verdicts(vec![kdc(tcp, Err("x")), kdc(udp, Err("x"))]), [k(Warning)]);
    }
}
