//! No two files of a job go to one place, as one of them would be lost.

use super::*;

fn add(job: JobId, files: Vec<NewFile>) -> Request {
    Request::AddFiles { job, files, credentials: Vec::new() }
}

fn taken(path: &str) -> Result<Answer, Refusal> {
    Err(Refusal::DestinationTaken { what: path.into() })
}

#[test]
fn two_files_of_one_request_go_to_two_places_or_none_is_added() {
    for (paths, refused) in [
        (&["/tmp/a", "/tmp/b", "/tmp/A", "/tmp/a/b"][..], None),
        (&["/tmp/a", "/tmp/b", "/tmp/a"], Some("/tmp/a")),
        (&["/tmp/a", "/tmp/./a"], Some("/tmp/./a")),
        (&["/tmp/a", "/tmp/b/../a"], Some("/tmp/b/../a")),
    ] {
        let mut world = World::new(Limits::default());
        let files = || paths.iter().map(|path| a_file_at(path)).collect::<Vec<_>>();
        let create = Request::Create {
            id: JobId([9; 16]),
            properties: Box::new(Properties::named("a job".to_owned()).expect("a name")),
            files: files(),
            secrets: Vec::new(),
            resume: false,
        };
        let job = world.add_job(1, Priority::Normal);
        for (id, request) in [(JobId([9; 16]), create), (job, add(job, files()))] {
            let outcome = world.ask(ANNA, request);
            assert_eq!(outcome, refused.map_or(Ok(Answer::Job(id)), taken), "{paths:?}");
        }
        let added = if refused.is_some() { 0 } else { paths.len() as u32 };
        assert_eq!(world.written[&job].files_total, 1 + added);
        assert_eq!(world.written.contains_key(&JobId([9; 16])), refused.is_none());
    }
}

#[test]
fn who_looked_at_the_folders_knows_better_than_the_names() {
    let mut world = World::new(Limits::default());
    let job = world.add_job(1, Priority::Normal);
    let real = a_file_at("/tmp/real/f");
    let linked = NewFile { destination: real.destination, ..a_file_at("/tmp/link/f") };
    assert_eq!(world.ask(ANNA, add(job, vec![real, linked])), taken("/tmp/link/f"));
    let elsewhere = NewFile { destination: a_file_at("/else/f").destination, ..a_file_at("/tmp/x/../f") };
    let refused = world.ask(ANNA, add(job, vec![a_file_at("/tmp/f"), elsewhere]));
    assert_eq!(refused, Ok(Answer::Job(job)), "a link can lead where the name does not");
}

#[test]
fn a_place_is_taken_by_what_is_stored_and_by_what_the_same_turn_adds() {
    let mut world = World::new(Limits::default());
    let [one, other] = [1, 2].map(|number| world.add_job(number, Priority::Normal));
    let mut decision = Decision::default();
    decision.bring_destinations(one, [a_file_at("/tmp/stored").destination]);
    let cases = [
        (ANNA, one, "/tmp/stored", taken("/tmp/stored")),
        (ANNA, one, "/tmp/new", Ok(Answer::Job(one))),
        (ANNA, one, "/tmp/new", taken("/tmp/new")),
        (ANNA, one, "/tmp/newer", Ok(Answer::Job(one))),
        // Two jobs may: whichever is completed last has it.
        (ANNA, other, "/tmp/stored", Ok(Answer::Job(other))),
        (ANNA, other, "/tmp/new", Ok(Answer::Job(other))),
    ];
    let mut asked = Vec::new();
    for (caller, job, path, expected) in cases {
        let input = world.request(caller, add(job, vec![a_file_at(path)]));
        asked.push((Ticket(world.tickets), path, expected));
        world.take_in(input, &mut decision);
    }
    // Who may not ask learns nothing of it.
    let stranger = world.request(BEN, add(one, vec![a_file_at("/tmp/stored")]));
    let strangers = Ticket(world.tickets);
    world.take_in(stranger, &mut decision);
    let effects = world.write(decision);
    for (ticket, path, expected) in asked {
        assert_eq!(answer_to(ticket, effects.clone()), Some(expected), "{path}");
    }
    let refused = answer_to(strangers, effects);
    assert!(matches!(refused, Some(Err(Refusal::AccessDenied { .. }))), "{refused:?}");
    assert_eq!(world.written[&one].files_total, 3);
    assert_eq!(world.written[&other].files_total, 3);
}
