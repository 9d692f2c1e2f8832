//! Several owners and an administrator on one machine (`bits.md` §7.2, §7.4).

use super::*;
use crate::access::Audience;
use crate::http_options::{ClientCertificate, Header, HeaderName, Method, ProxyUse, SecurityFlags};
use crate::job::Environment;
use crate::notify::NotifyCommand;
use crate::remote_name::RemoteName;

const ROOT: Caller = Caller { uid: 0 };

/// The service of a machine.
fn machine() -> World {
    let mut world = World::new(Limits::default());
    world.queue = Queue::new(Limits::default()).serving(Audience::Machine);
    world
}

fn set(job: JobId, change: PropertyChange) -> Request {
    Request::SetProperties { job, expected: None, changes: vec![change], secrets: Vec::new() }
}

fn headers() -> PropertyChange {
    let name = HeaderName::parse("X-A").expect("a name");
    PropertyChange::Headers(vec![Header::new(name, "1").expect("a value")])
}

fn command() -> PropertyChange {
    let command = NotifyCommand { program: "/bin/true".to_owned(), arguments: Vec::new() };
    PropertyChange::NotifyCommand(Some(command))
}

fn webhook() -> PropertyChange {
    PropertyChange::Webhook(Some(RemoteName::parse("https://h.test/hook").expect("a URL").0))
}

fn a_secret() -> SealedSecret {
    let slot = SecretSlot::Credential { target: AuthTarget::Server, scheme: AuthScheme::Basic };
    SealedSecret { slot, record: vec![1, 2, 3] }
}

fn is_refused(answer: Result<Answer, Refusal>) -> bool {
    match answer {
        Ok(_) => false,
        Err(refusal) => {
            assert_eq!(refusal.code(), Code::ACCESS_DENIED, "{refusal}");
            true
        }
    }
}

/// One line for each thing to do: what comes of it for another user, and for an administrator.
#[test]
fn a_job_is_for_its_owner_and_an_administrator_and_its_secrets_for_the_owner_alone() {
    let credentials = |job| Request::SetCredentials { job, credentials: vec![a_secret()] };
    let with_secret = |job| Request::SetProperties {
        job,
        expected: None,
        changes: Vec::new(),
        secrets: vec![SecretChange::Set(a_secret())],
    };
    let remove = |job| Request::RemoveCredentials {
        job,
        target: AuthTarget::Server,
        schemes: vec![AuthScheme::Basic],
    };
    let files = |job| Request::AddFiles { job, files: vec![a_file()], credentials: Vec::new() };
    let signed_in = |job| Request::AddFiles { job, files: vec![a_file()], credentials: vec![a_secret()] };
    let resume = |job| Request::Command { job, command: Command::Resume };
    let rename = |job| set(job, PropertyChange::DisplayName("n".to_owned()));
    let cases: [(&dyn Fn(JobId) -> Request, bool); 11] = [
        (&rename, true),
        (&files, true),
        (&resume, true),
        (&|job| set(job, headers()), false),
        (&|job| set(job, PropertyChange::MakeHeadersWriteOnly), false),
        (&|job| set(job, command()), false),
        (&|job| set(job, webhook()), false),
        (&credentials, false),
        (&with_secret, false),
        (&remove, false),
        (&signed_in, false),
    ];
    for (what, administrator_may) in cases {
        let mut world = machine();
        let job = world.add_job(1, Priority::Normal);
        let before = world.written[&job].clone();
        assert!(is_refused(world.ask(BEN, what(job))), "{:?}", what(job));
        assert_eq!(world.written[&job], before, "a refused change changes nothing");
        assert_eq!(!is_refused(world.ask(ROOT, what(job))), administrator_may, "{:?}", what(job));
        assert_eq!(world.written[&job] != before, administrator_may, "{:?}", what(job));
        assert!(!is_refused(world.ask(ANNA, what(job))), "{:?}", what(job));
    }
}

#[test]
fn an_administrator_cancels_anybodys_job() {
    let mut world = machine();
    let job = world.add_job(1, Priority::Normal);
    let input = world.request(ROOT, Request::Command { job, command: Command::Cancel });
    world.turn(input);
    assert_eq!(world.state(job), "cancelled");
}

/// §7.4: what goes and what stays.
#[test]
fn whoever_takes_a_job_gets_it_without_what_was_the_old_owners_alone() {
    let mut world = machine();
    let job = world.add_job(1, Priority::High);
    let proxy = ProxyUse::Override { list: "http://p.test:1".to_owned(), bypass: String::new() };
    for change in [
        headers(),
        PropertyChange::MakeHeadersWriteOnly,
        command(),
        webhook(),
        PropertyChange::ClientCertificate(Some(ClientCertificate::File {
            path: "/home/anna/me.pem".to_owned(),
            key: None,
        })),
        PropertyChange::StoredCredentials(Some(AuthTarget::Proxy)),
        PropertyChange::ServiceName(Some("HTTP/h.test".to_owned())),
        PropertyChange::Proxy(proxy.clone()),
        PropertyChange::SecurityFlags(SecurityFlags::from_mask(0x100).expect("flags")),
        PropertyChange::Description("words".to_owned()),
        PropertyChange::MaximumDownloadTime(Some(Duration::from_secs(9))),
    ] {
        world.ask(ANNA, set(job, change)).expect("set");
    }
    let ticket_cache = Some("FILE:/tmp/krb5cc_1000".to_owned());
    world.written.get_mut(&job).expect("it is there").properties.environment =
        Environment { krb5_ccname: ticket_cache, umask: Some(0o077), ..Environment::default() };
    world.command(job, Command::Resume).expect("resumed");
    world.grant();
    let before = world.written[&job].clone();

    let input = world.request(ROOT, Request::TakeOwnership { job });
    let ticket = Ticket(world.tickets);
    let mut decision = Decision::default();
    world.take_in(input, &mut decision);
    let batch = decision.take_batch();
    assert!(matches!(batch.secrets[..], [(of, SecretChange::RemoveAll)] if of == job), "{batch:?}");
    let after = batch.jobs[0].job.clone();
    let (effects, _) = decision.into_effects();
    assert!(effects.contains(&Effect::Job { job, effect: job::Effect::Stop(before.attempt) }), "{effects:?}");
    let told = "the user with id 0 has taken it from the one with id 1000".to_owned();
    assert!(effects.contains(&Effect::Note { job, text: told }), "{effects:?}");
    assert_eq!(answer_to(ticket, effects), Some(Ok(Answer::Job(job))));

    assert_eq!((after.owner, after.state.name()), (Owner(0), "queued"));
    let http = &after.properties.http;
    assert_eq!(http.headers, []);
    assert_eq!((http.headers_write_only, &http.client_certificate), (false, &None));
    assert_eq!((http.stored_proxy_credentials, &http.service_name), (false, &None));
    assert_eq!(after.properties.environment, Environment::default());
    assert_eq!((&after.properties.notify.command, &after.properties.notify.webhook), (&None, &None));
    // What says how to transfer stays.
    assert_eq!((&http.proxy, http.security.mask()), (&proxy, 0x100));
    assert_eq!(http.method, Method::default());
    let kept = |job: &Job| {
        let properties = job.properties.clone();
        let times = (properties.maximum_download_time, properties.no_progress_timeout);
        (properties.priority, properties.description, times, job.files_total, job.error_count)
    };
    assert_eq!(kept(&after), kept(&before));
}

#[test]
fn a_taken_job_is_the_new_owners_and_the_old_ones_no_more() {
    let mut world = machine();
    let job = world.add_job(1, Priority::Normal);
    assert_eq!(world.ask(ROOT, Request::TakeOwnership { job }), Ok(Answer::Job(job)));
    assert!(is_refused(world.ask(ANNA, set(job, headers()))));
    assert!(is_refused(world.command(job, Command::Resume)));
    assert!(!is_refused(world.ask(ROOT, set(job, headers()))));
    assert!(!is_refused(world.ask(ROOT, Request::Command { job, command: Command::Resume })));
}

#[test]
fn who_owns_a_job_already_is_told_so_and_nobody_but_an_administrator_takes_one() {
    for mut world in [machine(), World::new(Limits::default())] {
        let job = world.add_job(1, Priority::Normal);
        let before = world.written[&job].clone();
        assert_eq!(world.ask(ANNA, Request::TakeOwnership { job }), Ok(Answer::OwnedAlready(job)));
        let refused = world.ask(BEN, Request::TakeOwnership { job });
        assert_eq!(refused, Err(Refusal::NotAnAdministrator { what: job.to_string() }));
        assert_eq!(world.written[&job], before);
    }
    // To the service of one user root is a user like any other.
    let mut world = World::new(Limits::default());
    let job = world.add_job(1, Priority::Normal);
    assert!(is_refused(world.ask(ROOT, Request::TakeOwnership { job })));
}

#[test]
fn jobs_that_change_hands_count_for_the_new_owner() {
    let policy = crate::policy::Policy { jobs_per_user_max: 1, ..crate::policy::Policy::BUILT_IN };
    let limits = Limits { policy, ..Limits::default() };
    let mut world = World::new(limits);
    world.queue = Queue::new(limits).serving(Audience::Machine);
    let job = world.add_job(1, Priority::Normal);
    let properties = Box::new(Properties::named("a job".to_owned()).expect("a name"));
    let create = Request::Create {
        id: JobId([2; 16]),
        properties,
        secrets: Vec::new(),
        files: Vec::new(),
        resume: false,
    };
    let refused = world.ask(ANNA, create.clone()).expect_err("it has one");
    assert_eq!(refused.code(), Code::TOO_MANY_JOBS_PER_USER);
    world.ask(ROOT, Request::TakeOwnership { job }).expect("taken");
    assert!(world.ask(ANNA, create).is_ok(), "now it has none");
}
